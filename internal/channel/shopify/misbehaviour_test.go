package shopify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// impatient gives up on a reply after 50 ms, so that a hanging shop holds up no test.
func (w *world) impatient() *outbound.Peer {
	return outbound.NewPeer(outbound.PeerConfig{
		Name: "shopify", Concurrency: concurrency, Secrets: []string{token}, Credentials: signer{token}, Timeout: 50 * time.Millisecond,
		Network: outbound.Policy{AllowPrivate: true}, Retry: outbound.Retry{Clock: w.clock, Jitter: func() float64 { return 0 }},
	})
}

// What a shop may do wrong at the look-up, or when quantities are set. In each case nothing is acknowledged that was not set, the levels end as
// they must with the shop's words, and once it behaves again the next push heals.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	const (
		unknown = channel.Unknown
		ack     = channel.Acknowledged
		no      = channel.Refused
		unsent  = channel.Unsent
	)
	for name, c := range map[string]struct {
		answer  shopifytest.Answer
		lookUp  channel.Verdict // when the look-up is answered so
		set     channel.Verdict // when the request to set is
		code    string
		words   string
		err     fault.Code // of the push
		applied bool       // the shop takes the quantities before
	}{
		"401":                {answer: answer(401, `{"errors":"[API] Invalid API key or access token"}`), lookUp: unsent, set: no, code: "HTTP_401", words: "Invalid API key", err: fault.CredentialsRefused},
		"403":                {answer: answer(403, `{"errors":"[API] This action requires merchant approval for write_inventory scope."}`), lookUp: unsent, set: no, code: "HTTP_403", words: "write_inventory", err: fault.CredentialsRefused},
		"scope missing":      {answer: answer(200, `{"errors":[{"message":"Access denied for inventorySetQuantities field.","extensions":{"code":"ACCESS_DENIED","requiredAccess":"write_inventory access scope."}}],"data":null}`), lookUp: unsent, set: no, code: "ACCESS_DENIED", words: "lacks a scope: write_inventory", err: fault.CredentialsRefused},
		"frozen":             {answer: answer(402, `{"errors":"Unavailable Shop"}`), lookUp: unsent, set: no, code: "HTTP_402", words: "Unavailable Shop", err: fault.Refused},
		"locked":             {answer: answer(423, `{"errors":"Locked"}`), lookUp: unsent, set: no, code: "HTTP_423", words: "Locked", err: fault.Refused},
		"no shop":            {answer: answer(404, `{"errors":"Not Found"}`), lookUp: unsent, set: no, code: "HTTP_404", words: "Not Found", err: fault.Refused},
		"renamed":            {answer: answer(301, ``, "Location", "https://other.myshopify.com/"), lookUp: unsent, set: no, code: "HTTP_301", words: "301", err: fault.Refused},
		"taken for attack":   {answer: answer(430, ``), lookUp: unsent, set: no, code: "HTTP_430", words: "430", err: fault.Refused},
		"inactive":           {answer: answer(200, `{"errors":[{"message":"Shop is closed","extensions":{"code":"SHOP_INACTIVE"}}]}`), lookUp: unsent, set: no, code: "SHOP_INACTIVE", words: "Shop is closed", err: fault.Refused},
		"413":                {answer: answer(413, `too large`), lookUp: no, set: no, code: "HTTP_413", words: "too large"},
		"422":                {answer: answer(422, `{"errors":{"base":["no"]}}`), lookUp: no, set: no, code: "HTTP_422", words: "no"},
		"400":                {answer: answer(400, `{"errors":{"query":"Required parameter missing"}}`), lookUp: no, set: no, code: "HTTP_400", words: "Required parameter"},
		"document refused":   {answer: answer(200, `{"errors":[{"message":"Field 'x' doesn't exist","extensions":{"code":"undefinedField"}}]}`), lookUp: no, set: no, code: "undefinedField", words: "Field 'x'"},
		"429":                {answer: answer(429, `{"errors":"Exceeded"}`), lookUp: unsent, set: no, code: "HTTP_429", words: "Exceeded", err: fault.Throttled},
		"429, Retry-After":   {answer: answer(429, ``, "Retry-After", "3600"), lookUp: unsent, set: no, code: "HTTP_429", words: "429", err: fault.Throttled},
		"500":                {answer: answer(500, `oops`), lookUp: unsent, set: unknown, code: "HTTP_500", words: "oops"},
		"failed within":      {answer: answer(200, `{"errors":[{"message":"Internal error. Request ID: 1","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`), lookUp: unsent, set: unknown, code: "INTERNAL_SERVER_ERROR", words: "Request ID"},
		"hang":               {answer: hang, lookUp: unsent, set: unknown, code: "UNREACHABLE", words: "no answer in time"},
		"reset":              {answer: reset, lookUp: unsent, set: unknown, code: "UNREACHABLE", words: "no answer"},
		"truncated":          {answer: lost, lookUp: unsent, set: unknown, code: "UNREACHABLE", words: "no answer"},
		"truncated JSON":     {answer: answer(200, `{"data":{"inventorySetQuan`), lookUp: unsent, set: unknown, code: "BAD_REPLY", words: "inventorySetQuan"},
		"HTML":               {answer: answer(200, `<html>Welcome`), lookUp: unsent, set: unknown, code: "BAD_REPLY", words: "Welcome"},
		"nothing":            {answer: answer(200, ``), lookUp: unsent, set: unknown, code: "BAD_REPLY", words: "not what GraphQL answers"},
		"no data":            {answer: answer(200, `{"data":null}`), lookUp: unsent, set: unknown, code: "BAD_REPLY", words: "no data"},
		"other data":         {answer: answer(200, `{"data":{"shop":{}}}`), lookUp: unsent, set: unknown, code: "BAD_REPLY"},
		"data of other form": {answer: answer(200, `{"data":{"inventoryItems":7,"inventorySetQuantities":7}}`), lookUp: unsent, set: unknown, code: "BAD_REPLY", words: "cannot be read"},
		"no user errors":     {answer: answer(200, `{"data":{"inventoryItems":null,"inventorySetQuantities":{"userErrors":null}}}`), lookUp: unsent, set: unknown, code: "BAD_REPLY"},
		"all replies lost":   {answer: lost, lookUp: unsent, set: unknown, code: "UNREACHABLE", words: "no answer", applied: true},
	} {
		for _, operation := range []string{"Stocked", "Set"} {
			t.Run(name+" at "+operation, func(t *testing.T) {
				t.Parallel()
				w := setup(t, 3, shopifytest.Config{}, Config{})
				patient := w.store.peer
				if name == "hang" { // where replies that come would be late on a busy machine, none is asked for
					if operation == "Set" {
						w.pushed(t, batchOf(3))
					}
					w.store.peer = w.impatient()
					defer w.store.peer.Close()
				}
				hook := func(call shopifytest.Call) shopifytest.Answer {
					if call.Operation == operation {
						return c.answer
					}
					return nil
				}
				want := c.set
				if operation == "Stocked" {
					want = c.lookUp
				}
				if c.applied {
					w.After(hook)
				} else {
					w.Before(hook)
				}
				outcomes, err := w.store.Push(t.Context(), batchOf(3))
				if fault.CodeOf(err) != c.err || len(outcomes) != 3 {
					t.Fatalf("%+v, %v", outcomes, err)
				}
				if f := (*fault.Error)(nil); name == "429, Retry-After" && (!errors.As(err, &f) || f.Until.IsZero()) {
					t.Errorf("%v does not say until when", err)
				}
				for n, o := range outcomes {
					if o.Verdict != want || o.Code != c.code || !strings.Contains(o.Message, c.words) || o.Message == "" || len(o.Message) > 320 {
						t.Errorf("level %d: %+v, want verdict %d", n, o, want)
					}
				}
				if err == nil && want != no { // two more such, and the shop counts as down
					for range inARow - 1 {
						_, err = w.store.Push(t.Context(), batchOf(3))
					}
					if code := fault.CodeOf(err); code != fault.Unreachable && code != fault.BadReply || !strings.Contains(err.Error(), "3 batches in a row") {
						t.Errorf("the third in a row: %v", err)
					}
				}
				w.Before(nil)
				w.After(nil)
				w.store.peer = patient
				w.pushed(t, batchOf(3))
				for n := range int64(3) {
					w.shows(t, n+1, 1, n+11)
				}
			})
		}
	}
}

// A level that a request cannot be made with, by whatever status, holds up nobody: the batch is sent in halves until it is alone.
func TestOneBadLevelNeverHoldsUpItsBatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		operation string
		answer    shopifytest.Answer
		code      string
	}{
		"422 at set":      {"Set", answer(422, `no`), "HTTP_422"},
		"413 at set":      {"Set", answer(413, `no`), "HTTP_413"},
		"errors at set":   {"Set", answer(200, `{"errors":[{"message":"no","extensions":{"code":"OF_TOMORROW"}}]}`), "OF_TOMORROW"},
		"422 at look-up":  {"Stocked", answer(422, `no`), "HTTP_422"},
		"cost at look-up": {"Stocked", answer(200, `{"errors":[{"message":"no","extensions":{"code":"MAX_COST_EXCEEDED"}}]}`), "MAX_COST_EXCEEDED"},
		"variable":        {"Set", answer(200, `{"errors":[{"message":"no","extensions":{"code":"INVALID_VARIABLE","problems":[{"path":["quantities",99,"quantity"],"explanation":"no"}]}}]}`), "INVALID_VARIABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 250, shopifytest.Config{}, Config{})
			w.Before(func(call shopifytest.Call) shopifytest.Answer {
				if call.Operation == c.operation && (strings.Contains(call.Body, "'SKU-100'") || slices.ContainsFunc(call.Rows, func(q shopifytest.Quantity) bool { return q.Item == "gid://shopify/InventoryItem/100" })) {
					return c.answer
				}
				return nil
			})
			outcomes, err := w.store.Push(t.Context(), batchOf(250))
			if err != nil {
				t.Fatal(err)
			}
			for n, o := range outcomes {
				if bad := n == 99; bad && (o.Verdict != channel.Refused || o.Code != c.code || !strings.Contains(o.Message, "no")) || !bad && o.Verdict != channel.Acknowledged {
					t.Errorf("%d: %+v", n, o)
				}
			}
			if n := len(w.Calls()); n > 20 || name == "variable" && n > 3 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// "Committed but the reply lost": the same key brings the same answer, and nothing is set twice.
func TestLostReplyIsHealedByItsKey(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]shopifytest.Answer{"cut": lost, "reset": reset, "500": answer(500, "oops"), "within": answer(200, `{"errors":[{"message":"x","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 3, shopifytest.Config{Strange: strange(2)}, Config{})
			once := map[string]bool{}
			w.After(func(c shopifytest.Call) shopifytest.Answer {
				if c.Operation != "Set" || once[c.Key] {
					return nil
				}
				once[c.Key] = true
				return how
			})
			outcomes, err := w.store.Push(t.Context(), batchOf(3))
			const a = channel.Acknowledged
			if err != nil || !slices.Equal(verdicts(outcomes), []channel.Verdict{a, channel.Refused, a}) {
				t.Errorf("%+v, %v", outcomes, err)
			}
			keys := w.keys()
			if _, rows, _ := w.Spent(); rows != 2 || len(keys) != 4 || keys[0] != keys[1] || keys[1] == keys[2] || keys[2] != keys[3] {
				t.Errorf("%d rows set, keys %v", rows, keys)
			}
		})
	}
}

// The rows that an answer did not name, and that could not be sent again, may or may not be shown.
func TestRestThatCouldNotBeSentAgainIsUnknown(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]shopifytest.Answer{"401": answer(401, "no"), "cut": lost, "422": answer(422, "no")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 3, shopifytest.Config{Strange: strange(2), Partial: true}, Config{})
			w.Before(func(c shopifytest.Call) shopifytest.Answer {
				if c.Operation == "Set" && len(c.Rows) < 3 {
					return how
				}
				return nil
			})
			outcomes, _ := w.store.Push(t.Context(), batchOf(3))
			if !slices.Equal(verdicts(outcomes), []channel.Verdict{channel.Unknown, channel.Refused, channel.Unknown}) {
				t.Errorf("%+v", outcomes)
			}
		})
	}
}

func TestShopThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{})
	w.Server.Close()
	outcomes, err := w.store.Push(t.Context(), batchOf(3))
	if fault.CodeOf(err) != fault.Unreachable || outcomes[0].Verdict != channel.Unsent || outcomes[0].Code != "UNREACHABLE" {
		t.Errorf("%+v, %v", outcomes, err)
	}
	inside := w.connect(t, Config{}, func(o *outbound.Options) { o.Network = outbound.Policy{} })
	if outcomes, err = inside.Push(t.Context(), batchOf(3)); fault.CodeOf(err) != fault.AddressRefused || outcomes[0].Verdict != channel.Unsent {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// channel.Sink: "a canceled context returns at once with what is known and the context's error".
func TestCanceledPushTellsWhatWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		operation string
		answer    shopifytest.Answer
		want      channel.Verdict
	}{
		"before":            {"", nil, channel.Unsent},
		"at the look-up":    {"Stocked", hang, channel.Unsent},
		"under way":         {"Set", hang, channel.Unknown},
		"between attempts":  {"Set", answer(500, ""), channel.Unknown},
		"told to wait":      {"Set", answer(429, ""), channel.Unsent},
		"waiting for point": {"Set", answer(200, `{"errors":[{"message":"Throttled"}],"extensions":{"cost":{"requestedQueryCost":10,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":0,"restoreRate":1}}}}`), channel.Unsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := setup(t, 2, shopifytest.Config{}, Config{}, func(o *outbound.Options) {
				sleep := o.Retry.Clock.Sleep
				o.Retry.Clock.Sleep = func(ctx context.Context, d time.Duration) error {
					cancel()
					return sleep(ctx, d)
				}
			})
			w.Before(func(call shopifytest.Call) shopifytest.Answer {
				if call.Operation != c.operation {
					return nil
				}
				return func(rw http.ResponseWriter, r *http.Request) {
					if strings.HasPrefix(name, "at") || name == "under way" {
						cancel()
					}
					c.answer(rw, r)
				}
			})
			if name == "before" {
				cancel()
			}
			outcomes, err := w.store.Push(ctx, batchOf(2))
			if !errors.Is(err, context.Canceled) || !slices.Equal(verdicts(outcomes), []channel.Verdict{c.want, c.want}) || outcomes[0].Code != "" || !strings.HasPrefix(outcomes[0].Message, "canceled") {
				t.Errorf("%+v, %v", outcomes, err)
			}
		})
	}
}

// spec 5.2: "secrets go in and never come out", not even in the words of a shop that repeats them.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]shopifytest.Answer{
		"400": answer(400, "you sent "+token), "401": answer(401, `{"errors":"`+token+`"}`), "500": answer(500, token), "HTML": answer(200, "<p>"+token), "errors": answer(200, `{"errors":[{"message":"`+token+`"}]}`),
		"scope": answer(200, `{"errors":[{"message":"`+token+`","extensions":{"code":"ACCESS_DENIED"}}]}`),
		"row":   answer(200, `{"data":{"inventorySetQuantities":{"userErrors":[{"code":"X","field":["input","quantities","0"],"message":"`+token+`"}]}}}`),
	} {
		w := setup(t, 1, shopifytest.Config{}, Config{})
		w.Before(func(c shopifytest.Call) shopifytest.Answer {
			if c.Operation == "Stocked" {
				return nil
			}
			return how
		})
		outcomes, err := w.store.Push(t.Context(), batchOf(1))
		if got := fmt.Sprint(outcomes, err); strings.Contains(got, token) || !strings.Contains(got, "[secret]") {
			t.Errorf("%s: %s", name, got)
		}
		if words, err := w.store.Test(t.Context()); strings.Contains(fmt.Sprint(words, err), token) {
			t.Errorf("%s: %s, %v", name, words, err)
		}
	}
}
