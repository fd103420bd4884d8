package graph_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"pgregory.net/rapid"

	"stockbridge/ent/schema/enum"
	"stockbridge/graph"
	"stockbridge/internal/access"
)

// usual is this world without plans: resolvers answer everything.
func (w *world) usual() *world {
	u := *w
	cfg := w.config
	cfg.NoPlans = true
	u.schema = graph.New(cfg)
	u.executor = executor.New(u.schema)
	u.executor.SetErrorPresenter(graph.ErrorPresenter(w.config.Log))
	return &u
}

// odd adds levels that lead nowhere, to another tenant's rows, or have odd texts.
func (w *world) odd() {
	ctx := w.t.Context()
	for i, sku := range []string{"Ünïcode \U0001F6B2", `quote " slash \`, "tab\tnew\nline\x01\u007f\u2028", "<&>", "ALPHA-BIKE", "BETA-BIKE"} {
		at := time.Date(2026, 3, 1, 10, 7, i, 120_000*i, time.UTC)
		w.rows.Product.Create().SetMerchantID(w.beta.merchant).SetSku(sku + "+").SetName(sku).SetImageURL(sku).SaveX(ctx)
		l := w.rows.ChannelLevel.Create().SetMerchantID(w.beta.merchant).SetStoreID(w.beta.store).SetChannelSku(sku).SetSku(sku + "+").SetQuantity(int64(i) << 31).SetStatus(enum.Pushed).
			SetLastPushedAt(at).SetPushedQuantity(int64(i)).SetUpdatedAt(at)
		if i%2 == 0 {
			l.SetLastError(sku).SetCommitted(-1)
		}
		l.SaveX(ctx)
		w.rows.WarehouseLevel.Create().SetMerchantID(w.alpha.merchant).SetWarehouseID(w.alpha.warehouse).SetSku(sku).SetOnHand(int64(-i)).SetReportedAt(at).SaveX(ctx)
	}
}

// stray adds levels of one tenant that lead to rows of another, as no code of ours makes them.
func (w *world) stray() {
	ctx := w.t.Context()
	w.rows.ChannelLevel.Create().SetMerchantID(w.beta.merchant).SetStoreID(w.beta.store).SetLocationID(w.alpha.location).SetLocationCode("stray").SetListingID(w.alpha.listing).
		SetChannelSku("stray").SetSku("ALPHA-BIKE").SetQuantity(1).SetStatus(enum.Pending).SaveX(ctx)
	w.rows.WarehouseLevel.Create().SetMerchantID(w.beta.merchant).SetWarehouseID(w.alpha.warehouse).SetFacilityID(w.alpha.facility).SetFacilityCode("stray").SetSku("stray").SaveX(ctx)
}

// asked draws what is asked of an object: aliases, doubles, fragments and conditions, and now and then what no plan knows.
func (w *world) asked(t *rapid.T, typ string, depth int) string {
	def := w.schema.Schema().Types[typ]
	var b strings.Builder
	b.WriteString("{")
	for range rapid.IntRange(1, 6).Draw(t, "fields") {
		names := []string{"__typename"}
		for _, f := range def.Fields {
			of := w.schema.Schema().Types[f.Type.Name()]
			known := f.Type.Elem == nil || f.Name == "edges" || f.Name == "nodes"
			if !strings.HasPrefix(f.Name, "__") && (of.IsLeafType() && f.Name != "totalCount" || of.Kind == ast.Object && known && depth > 0 && !slices.Contains([]string{"explanation", "capabilities", "heldReport"}, f.Name)) {
				names = append(names, f.Name)
			}
		}
		name := rapid.SampledFrom(names).Draw(t, "field")
		if rapid.IntRange(0, 100).Draw(t, "unknown") == 100 {
			if unknown := map[string]string{"ChannelLevelConnection": "totalCount", "Store": "limits { pattern }", "Product": "components { quantity }"}[typ]; unknown != "" {
				b.WriteString(" " + unknown)
			}
		}
		what := name
		if f := def.Fields.ForName(name); f != nil && !w.schema.Schema().Types[f.Type.Name()].IsLeafType() {
			what += " " + w.asked(t, f.Type.Name(), depth-1)
			if rapid.Bool().Draw(t, "alias") || strings.Contains(b.String(), " "+name+" ") { // what is asked twice must fit together
				what = fmt.Sprintf("a%d: %s", b.Len(), what)
			}
		} else if rapid.IntRange(0, 4).Draw(t, "alias") == 0 {
			what = name + "_: " + name
		}
		switch rapid.IntRange(0, 9).Draw(t, "around") {
		case 0:
			what = fmt.Sprintf("... on %s { %s }", typ, what)
		case 1:
			what = fmt.Sprintf("... @include(if: $yes) { %s }", what)
		case 2:
			what = fmt.Sprintf("... @skip(if: $yes) { __typename %s }", what)
		}
		b.WriteString(" " + what)
	}
	return b.String() + " }"
}

// narrowed draws the arguments of a list, bad ones too.
func (w *world) narrowed(t *rapid.T, list string, cursors map[string][]string) string {
	text := rapid.SampledFrom([]string{`eq: "ALPHA-BIKE"`, `prefix: "B"`, `contains: "K"`, `in: ["BETA-CH", "BETA-BIKE", "<&>"]`, `in: []`, `prefix: "\u0000"`, `contains: "+", prefix: "q"`})
	where := map[string][]string{
		"channelLevels": {"storeId: %q", id("Store", w.beta.store), "locationId: %q", id("StoreLocation", w.alpha.location), "listingId: %q", id("Listing", w.beta.listing),
			"status: {in: [PUSHED, FAILED]}%.0s", "", "status: {eq: PENDING}%.0s", "", "status: {in: []}%.0s", "", "channelSku: {" + text.Draw(t, "text") + "}%.0s", ""},
		"warehouseLevels": {"warehouseId: %q", id("Warehouse", w.alpha.warehouse), "facilityId: %q", id("Facility", w.beta.facility)},
	}[list]
	where = append(where, "merchantId: %q", id("Merchant", w.beta.merchant), "sku: {"+text.Draw(t, "text")+"}%.0s", "")
	var args, by []string
	for i := 0; i < len(where); i += 2 {
		name, _, _ := strings.Cut(where[i], ":")
		if rapid.IntRange(0, len(where)).Draw(t, "where") == 0 && !slices.ContainsFunc(by, func(s string) bool { return strings.HasPrefix(s, name+":") }) {
			by = append(by, fmt.Sprintf(where[i], where[i+1]))
		}
	}
	if rapid.IntRange(0, 20).Draw(t, "bad id") == 20 {
		by = []string{rapid.SampledFrom([]string{`merchantId: "x"`, fmt.Sprintf("merchantId: %q", id("Store", w.beta.store))}).Draw(t, "id")}
	}
	if len(by) > 0 {
		args = append(args, "where: {"+strings.Join(by, ", ")+"}")
	}
	sizes := []string{"", "first: 3", "last: 3", "first: 0", "first: 250", "last: 1"}
	if rapid.IntRange(0, 20).Draw(t, "bad size") == 20 {
		sizes = []string{"first: -1", "last: 251", "first: 2, last: 2"}
	}
	if size := rapid.SampledFrom(sizes).Draw(t, "size"); size != "" {
		args = append(args, size)
	}
	fields := w.schema.Schema().Types[strings.ToUpper(list[:1])+list[1:len(list)-1]+"OrderField"].EnumValues
	order := ""
	if f := rapid.SampledFrom(append(fields[:len(fields):len(fields)], nil)).Draw(t, "order"); f != nil {
		order = f.Name
		args = append(args, fmt.Sprintf("orderBy: {field: %s, direction: %s}", f.Name, rapid.SampledFrom([]string{"ASC", "DESC"}).Draw(t, "direction")))
	}
	for _, name := range []string{"after", "before"} {
		if rapid.IntRange(0, 20).Draw(t, "odd "+name) == 20 {
			order = "" // mostly another one's
		}
		if c := rapid.SampledFrom(append(cursors[list+order], "", "", "", "")).Draw(t, name); c != "" {
			args = append(args, fmt.Sprintf("%s: %q", name, c))
		}
	}
	if len(args) == 0 {
		return ""
	}
	return "(" + strings.Join(args, ", ") + ")"
}

// settled is an answer without what differs between two times: references into the log, and the order of errors at several
// places, which are met at once.
func settled(a answer) string {
	errs, _, found := strings.Cut(reference.ReplaceAllString(a.raw, "$1"), `],"data":`)
	if !found { // without errors
		return a.sent
	}
	all := strings.Split(strings.TrimPrefix(errs, `{"errors":[`), `},{"message"`)
	for i := range all {
		all[i] = strings.Trim(strings.TrimPrefix(all[i], `{"message"`), "}")
	}
	slices.Sort(all)
	return strings.Join(all, "\n") + "\n" + a.sent
}

var reference = regexp.MustCompile(`(reference"?:? ?"?)[A-Z0-9]{12}`)

// Whatever is asked of the lists of levels, by whomever, plans answer it byte for byte as the resolvers do, and refuse it so.
func TestPlansAnswerAsResolversDo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		w.odd()
		usual := w.usual()
		viewers := []*access.Viewer{admin, operator(w.alpha.merchant, w.beta.merchant), operator(w.alpha.merchant), partner(w.beta.merchant), partner(), {Role: "ROOT", MerchantIDs: []int64{w.beta.merchant}}, nil}
		cursors := map[string][]string{}
		answered, asked := 0, 0
		compare := func(t *rapid.T) {
			v := rapid.SampledFrom(viewers).Draw(t, "viewer")
			var lists []string
			for i := range rapid.IntRange(1, 2).Draw(t, "lists") {
				list := rapid.SampledFrom([]string{"channelLevels", "warehouseLevels"}).Draw(t, "list")
				typ := strings.ToUpper(list[:1]) + list[1:len(list)-1] + "Connection"
				lists = append(lists, fmt.Sprintf("l%d: %s%s %s", i, list, w.narrowed(t, list, cursors), w.asked(t, typ, 3)))
			}
			document := "query($yes: Boolean!) { " + strings.Join(lists, " ") + " }"
			var got answer
			made := w.statements.during(func() { got = w.ask(v, document, vars{"yes": true}) })
			if asked++; len(made) == 0 && len(got.Errors) == 0 {
				answered++
			}
			want := usual.ask(v, document, vars{"yes": true})
			if got, want := settled(got), settled(want); got != want {
				t.Fatalf("%s\nplanned %s\nusual   %s", document, got, want)
			}
		}
		for _, list := range []string{"channelLevels", "warehouseLevels"} {
			cursors[list] = []string{"x"}
			for _, order := range w.schema.Schema().Types[strings.ToUpper(list[:1])+list[1:len(list)-1]+"OrderField"].EnumValues {
				for _, e := range usual.data(admin, list+".edges", fmt.Sprintf("{ %s(first: 7, orderBy: {field: %s}) { edges { cursor } } }", list, order.Name)).([]any) {
					cursors[list+order.Name] = append(cursors[list+order.Name], at(e, "cursor").(string))
				}
			}
			for _, e := range usual.data(admin, list+".edges", fmt.Sprintf("{ %s { edges { cursor } } }", list)).([]any) {
				cursors[list] = append(cursors[list], at(e, "cursor").(string))
			}
		}
		rapid.Check(t, compare)
		if answered < asked/10 { // it is two fifths
			t.Errorf("plans have answered %d of %d", answered, asked)
		}
		w.stray()
		rapid.Check(t, compare)
	})
}

// A level that leads to another tenant's row leads nowhere for who does not see that: plans join nothing else.
func TestPlansJoinWhatTheViewerSees(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		w.stray()
		document := `{ channelLevels(where: {channelSku: {eq: "stray"}}) { nodes { channelSku product { name } location { name store { name } } listing { name product { name } merchant { name } } } } }`
		var a answer
		if made := w.statements.during(func() { a = w.ask(partner(w.beta.merchant), document) }); len(made) > 0 {
			t.Errorf("no plan answers: %q", made)
		}
		if want := `{"channelLevels":{"nodes":[{"channelSku":"stray","product":null,"location":null,"listing":null}]}}`; !strings.Contains(a.raw, want) {
			t.Errorf("a partner gets %s", a.raw)
		}
		a = w.ask(operator(w.alpha.merchant, w.beta.merchant), document)
		if !strings.Contains(a.raw, "ALPHA location") || !strings.Contains(a.raw, "ALPHA listing") || strings.Contains(a.raw, `"product":{"name":"BETA`) {
			t.Errorf("who sees both gets %s", a.raw)
		}
	})
}

// One document of everything that plans know is answered by plans alone, so that the test above compares something.
func TestPlansKnowLevelsAndWhatTheyLeadTo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		document := `{ channelLevels { nodes { id channelSku sku quantity pushedQuantity committed status lastError lastPushedAt updatedAt merchant { id name createdAt updatedAt version }
			store { id name platform scope onExclude createdAt updatedAt version merchant { name } } location { id code name store { name } } product { id sku name upc imageUrl createdAt updatedAt version }
			listing { id channelSku inventoryEnabled maxQuantity name price weight imageUrl description createdAt updatedAt version } } }
			warehouseLevels { edges { cursor node { id sku available onHand committed reportedAt updatedAt warehouse { id name platform quantitySource missingSkuPolicy maxDropPercent createdAt updatedAt version }
			facility { id code createdAt warehouse { name } } } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
		var got answer
		if made := w.statements.during(func() { got = w.ask(admin, document) }); len(made) > 0 || len(got.Errors) > 0 {
			t.Errorf("%q are read by resolvers: %s", made, got.raw)
		}
		if want := w.usual().ask(admin, document); got.sent != want.sent {
			t.Errorf("planned %s\nusual   %s", got.sent, want.sent)
		}
	})
}

// Whatever of what an activity holds itself is asked for, plans tell it byte for byte as the resolvers do, and leave the rest to
// them.
func TestPlansTellActivitiesAsResolversDo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		usual := w.usual()
		merchant := id("Merchant", w.alpha.merchant)
		begin := w.data(admin, "activities.nodes.0.cursor", `{ activities { nodes { cursor } } }`)
		for i, kind := range enum.ActivityKind("").Values() {
			w.rows.Activity.Create().SetMerchantID(w.alpha.merchant).SetKind(enum.ActivityKind(kind)).SetSku(`quote " slash \ ` + kind).SetAt(time.Date(2026, 3, 1, 10, 7, i, 120_000*i, time.UTC)).SaveX(t.Context())
			w.rows.Activity.Create().SetMerchantID(w.alpha.merchant).SetKind(enum.ActivityKind(kind)).SetSku("<&>\u2028").SetChannelSku("Ünïcode \U0001F6B2").SetStoreID(w.alpha.store).
				SetBefore(int64(-i)).SetAfter(int64(i) << 40).SetMessage("tab\tnew\nline\x01").SaveX(t.Context())
		}
		count := 2 * len(enum.ActivityKind("").Values())
		planned := 0
		rapid.Check(t, func(t *rapid.T) {
			asked := w.asked(t, "Activity", rapid.IntRange(0, 1).Draw(t, "depth"))
			document := `subscription($m: ID!, $c: String, $yes: Boolean!) { ` + rapid.SampledFrom([]string{"", "a: "}).Draw(t, "alias") + `activity(merchantId: $m, after: $c) { ... @include(if: $yes) ` + asked + ` } }`
			next := func(w *world) func() string {
				track := &graph.Track{}
				ctx, handler, refused := w.begin(graph.WithTrack(w.t.Context(), track), admin, document, vars{"m": merchant, "c": begin, "yes": true})
				if refused != nil {
					t.Fatal(document, brief(refused))
				}
				if graph.Planned(track) {
					planned++
				}
				return func() string { return settled(w.read(handler(ctx))) }
			}
			got, want := next(w), next(usual)
			for range count {
				if got, want := got(), want(); got != want {
					t.Fatalf("%s\nplanned %s\nusual   %s", document, got, want)
				}
			}
		})
		if planned == 0 {
			t.Error("no plan told anything")
		}
	})
}
