package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

func hashOfText(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// byHash is a request that names its document; query "" is left out.
func byHash(query, hash string, version any) string {
	request := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": version, "sha256Hash": hash}}}
	if query != "" {
		request["query"] = query
	}
	b, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Apollo's protocol: the hash alone, then the document with it, then the hash alone from then on, however it travels.
func TestDocumentsAreNamedByHash(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	const who, other = "{ who }", "query Other { who }"
	get := func(hash string) string {
		return "/graphql?extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+hash+`"}}`)
	}
	for i, step := range []struct{ method, path, body, code, data string }{
		{"POST", "/graphql", byHash("", hashOfText(who), 1), "PERSISTED_QUERY_NOT_FOUND", ""},
		{"GET", get(hashOfText(who)), "", "PERSISTED_QUERY_NOT_FOUND", ""},
		{"POST", "/graphql", byHash(who, hashOfText(other), 1), "PERSISTED_QUERY_MISMATCH", ""},
		{"POST", "/graphql", byHash("", hashOfText(other), 1), "PERSISTED_QUERY_NOT_FOUND", ""}, // a lie is not remembered
		{"POST", "/graphql", byHash(who, hashOfText(who), 1), "", `{"data":{"who":"ada"}}`},
		{"POST", "/graphql", byHash("", hashOfText(who), 1), "", `{"data":{"who":"ada"}}`},
		{"POST", "/graphql", byHash("", strings.ToUpper(hashOfText(who)), 1), "", `{"data":{"who":"ada"}}`},
		{"GET", get(hashOfText(who)), "", "", `{"data":{"who":"ada"}}`},
		{"GET", get(hashOfText(other)) + "&query=" + url.QueryEscape(other), "", "", `{"data":{"who":"ada"}}`},
		{"POST", "/graphql", byHash("", hashOfText(other), 1), "", `{"data":{"who":"ada"}}`},
		{"POST", "/graphql", byHash("", hashOfText(who), 2), "PERSISTED_QUERY_NOT_SUPPORTED", ""},
		{"POST", "/graphql", byHash("", hashOfText(who), "1.0"), "PERSISTED_QUERY_NOT_SUPPORTED", ""},
		{"POST", "/graphql", byHash("", hashOfText(who)[1:], 1), "PERSISTED_QUERY_MISMATCH", ""},
		{"POST", "/graphql", byHash("", hashOfText(who)+"00", 1), "PERSISTED_QUERY_MISMATCH", ""},
		{"POST", "/graphql", byHash("", "", 1), "PERSISTED_QUERY_MISMATCH", ""},
		{"POST", "/graphql", `{"extensions":{"persistedQuery":"x"}}`, "PERSISTED_QUERY_NOT_SUPPORTED", ""},
		{"POST", "/graphql", `{"extensions":{"persistedQuery":null}}`, "BAD_REQUEST", ""},
		{"POST", "/graphql", `{"query":"","extensions":{}}`, "BAD_REQUEST", ""},
		// What does not pass is not remembered.
		{"POST", "/graphql", byHash("{ whom }", hashOfText("{ whom }"), 1), "GRAPHQL_VALIDATION_FAILED", ""},
		{"POST", "/graphql", byHash("", hashOfText("{ whom }"), 1), "PERSISTED_QUERY_NOT_FOUND", ""},
		{"GET", get(hashOfText("mutation { touch }")) + "&query=" + url.QueryEscape("mutation { touch }"), "", "BAD_REQUEST", ""},
	} {
		_, body := r.do(t, step.method, step.path, step.body, signedIn, asJSON)
		if code := codeOf(t, body); code != step.code || step.data != "" && body != step.data {
			t.Errorf("%d: %s", i, body)
		}
	}
	_, body := r.do(t, "POST", "/graphql", byHash("subscription { ticks(n: -1) }", hashOfText("subscription { ticks(n: -1) }"), 1), signedIn, asJSON, events)
	_, again := r.do(t, "POST", "/graphql", byHash("", hashOfText("subscription { ticks(n: -1) }"), 1), signedIn, asJSON, events)
	if body != again || !strings.Contains(again, "complete") {
		t.Errorf("as events: %q then %q", body, again)
	}
}

// A socket names documents in the same way.
func TestSocketNamesDocumentsByHash(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := r.dial(t, nil)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`)
	c.expect(`{"type":"connection_ack"}`)
	c.send(`{"id":"1","type":"subscribe","payload":` + byHash("", hashOfText("{ who }"), 1) + `}`)
	c.expect(`{"id":"1","type":"error","payload":[{"message":"PersistedQueryNotFound: send the document with its hash once","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}`)
	for _, query := range []string{"{ who }", ""} {
		c.send(`{"id":"1","type":"subscribe","payload":` + byHash(query, hashOfText("{ who }"), 1) + `}`)
		c.expect(`{"id":"1","type":"next","payload":{"data":{"who":"ada"}}}`)
		c.expect(`{"id":"1","type":"complete"}`)
	}
}

// A request sent again by its hash is the same request.
func TestIdempotencyKeyMeansTheDocumentNotItsName(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r *running, c *counter) {
		const touch = "mutation { touch }"
		for _, request := range []string{quoted(touch), byHash(touch, hashOfText(touch), 1), byHash("", hashOfText(touch), 1)} {
			if _, body := r.do(t, "POST", "/graphql", request, signedIn, asJSON, "Idempotency-Key: k"); body != `{"data":{"touch": "1"}}` {
				t.Error(body)
			}
		}
	})
}

// A token that is for certain documents runs no other, on no transport, and opens no other page.
func TestTokenForCertainDocuments(t *testing.T) {
	t.Parallel()
	const allowed, tick = "{ who }", "subscription { ticks(n: -1) }"
	documents, err := access.ParseDocuments([]string{hashOfText(allowed), hashOfText(tick), hashOfText("{ whom }")})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) {
		c.Authenticate = func(_ context.Context, secret string) (*access.Viewer, error) {
			switch secret {
			case "good":
				return &access.Viewer{Name: "ada"}, nil
			case "bound":
				return &access.Viewer{Name: "bob", Role: access.Admin, Documents: documents}, nil
			}
			return nil, fault.New(fault.Unauthenticated, "unknown token")
		}
		c.Export = func(context.Context, string, url.Values) (*Export, error) {
			return &Export{Name: "x", ContentType: "text/csv", Write: func(context.Context, io.Writer) error { return nil }}, nil
		}
	})
	const bound = "Authorization: Bearer bound"
	for i, step := range []struct {
		method, path, body string
		head               []string
		code               string
	}{
		{"POST", "/graphql", quoted(allowed), nil, ""},
		{"POST", "/graphql", quoted(allowed + " "), nil, "DOCUMENT_NOT_ALLOWED"},
		{"POST", "/graphql", quoted("{ __schema { queryType { name } } }"), nil, "DOCUMENT_NOT_ALLOWED"},
		{"POST", "/graphql", quoted("{"), nil, "DOCUMENT_NOT_ALLOWED"}, // nothing is learned of what is not its own
		{"POST", "/graphql", quoted("{ whom }"), nil, "GRAPHQL_VALIDATION_FAILED"},
		{"POST", "/graphql", quoted("subscription { ticks(n: 1) }"), []string{events}, "DOCUMENT_NOT_ALLOWED"},
		{"GET", "/graphql?query=" + url.QueryEscape("{ self { who } }"), "", nil, "DOCUMENT_NOT_ALLOWED"},
		{"POST", "/graphql", byHash("", hashOfText("{ self { who } }"), 1), nil, "DOCUMENT_NOT_ALLOWED"},
		{"POST", "/graphql", byHash("{ self { who } }", hashOfText(allowed), 1), nil, "PERSISTED_QUERY_MISMATCH"},
		{"POST", "/graphql", byHash("", hashOfText(allowed), 1), nil, "PERSISTED_QUERY_NOT_FOUND"},
		{"POST", "/graphql", byHash(allowed, hashOfText(allowed), 1), nil, ""},
		{"POST", "/graphql", byHash("", hashOfText(allowed), 1), nil, ""},
		{"GET", "/export/products.csv", "", nil, "DOCUMENT_NOT_ALLOWED"},
		{"GET", "/metrics", "", nil, "DOCUMENT_NOT_ALLOWED"},
	} {
		_, body := r.do(t, step.method, step.path, step.body, append(step.head, bound, asJSON)...)
		if strings.HasPrefix(body, "event: next") {
			body = strings.TrimPrefix(strings.Split(body, "\n")[1], "data: ")
		}
		if code := codeOf(t, body); code != step.code {
			t.Errorf("%d: %s", i, body)
		}
	}
	// What another bearer ran is not run for it, though the server knows the text.
	r.do(t, "POST", "/graphql", byHash("{ self { who } }", hashOfText("{ self { who } }"), 1), signedIn, asJSON)
	if _, body := r.do(t, "POST", "/graphql", byHash("", hashOfText("{ self { who } }"), 1), bound, asJSON); codeOf(t, body) != "DOCUMENT_NOT_ALLOWED" {
		t.Error(body)
	}
	if resp, body := r.do(t, "POST", "/graphql", quoted(tick), bound, asJSON, events); resp.StatusCode != 200 || !strings.Contains(body, "complete") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Whatever is sent, what is remembered stays within its bounds, and what is used stays.
func TestDocumentsAreForgotten(t *testing.T) {
	t.Parallel()
	d := newDocuments()
	d.texts.put(access.DocumentHash{1}, "used", 4)
	used := &ast.QueryDocument{}
	d.Add(t.Context(), "used", used)
	for i := range 20_000 {
		text := fmt.Sprintf("{ a%0*d }", i%3000, i)
		d.texts.put(sha256.Sum256([]byte(text)), text, len(text))
		d.Add(t.Context(), text, nil)
		if i%100 == 0 {
			if _, ok := d.texts.get(access.DocumentHash{1}); !ok {
				t.Fatalf("what is used was forgotten after %d", i)
			}
			if doc, _ := d.Get(t.Context(), "used"); doc != used {
				t.Fatalf("what is used was forgotten after %d", i)
			}
		}
	}
	size := 0
	for _, generation := range []map[access.DocumentHash]weighed[string]{d.texts.younger, d.texts.older} {
		for _, text := range generation {
			size += len(text.value)
		}
	}
	if size > 2*maxHashBytes || len(d.texts.younger) > maxHashes || len(d.parsed.younger) > maxDocuments || d.parsed.weighs > maxDocumentBytes {
		t.Errorf("%d bytes, %d texts, %d parsed of %d bytes", size, len(d.texts.younger), len(d.parsed.younger), d.parsed.weighs)
	}
	d.Add(t.Context(), strings.Repeat(" ", maxDocumentBytes), used)
	if _, ok := d.Get(t.Context(), strings.Repeat(" ", maxDocumentBytes)); ok {
		t.Error("a document that fills the memory alone is remembered")
	}
}
