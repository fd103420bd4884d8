package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	gql "github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent"
	"stockbridge/internal/fault"
)

// platformInputs are valid inputs of every platform, by the input type that has them. Whatever is secret begins with SECRET.
var platformInputs = map[string][]struct{ field, input, elsewhere string }{
	"StorePlatformInput": {
		{"http", `url: "https://a.example.com/x", token: "SECRET-t", signingSecret: "SECRET-s", batchSize: 5, concurrency: 2, requestsPerSecond: 1.5`, `url: "https://b.example.com/x"`},
		{"fileExchange", `url: "sftp://a.example.com/x", username: "u", password: "SECRET-p"`, `url: "sftp://b.example.com/x"`},
		{"shopify", `shop: "a.myshopify.com", accessToken: "SECRET-t", apiVersion: "2026-07", locationId: "1", activate: false, endpoint: "https://a.example.com"`, `shop: "b.myshopify.com"`},
		{"wooCommerce", `url: "https://a.example.com/shop", consumerKey: "ck_SECRET", consumerSecret: "cs_SECRET"`, `url: "https://b.example.com/shop"`},
		{"bigCommerce", `storeHash: "abc123", accessToken: "SECRET-t", locationId: "2", quantitySemantics: AVAILABLE, endpoint: "https://a.example.com"`, `storeHash: "def456"`},
		{"vendure", `url: "https://a.example.com/admin-api", username: "u", password: "SECRET-p", channelToken: "c", locationId: "1", quantitySemantics: AVAILABLE`, `url: "https://b.example.com/admin-api"`},
		{"vendure", `url: "https://a.example.com/admin-api", apiKey: "SECRET-k"`, `url: "https://b.example.com/admin-api"`},
		{"medusa", `url: "https://a.example.com", secretKey: "sk_SECRET", locationId: "sloc_1", quantitySemantics: AVAILABLE`, `url: "https://b.example.com"`},
		{"saleor", `url: "https://a.example.com/graphql/", token: "SECRET-t", locationId: "V2FyZWhvdXNlOjE=", quantitySemantics: AVAILABLE, allocatedLookup: false`, `url: "https://b.example.com/graphql/"`},
		{"amazon", `sellerId: "A2SELLER12345", marketplaceIds: ["A1PA6795UKMFR9"], region: EU, clientId: "c", clientSecret: "SECRET-s", refreshToken: "SECRET-r", fulfillmentChannelCode: "STORE", endpoint: "https://a.example.com", tokenEndpoint: "https://a.example.com/t"`, `tokenEndpoint: "https://b.example.com/t"`},
	},
	"WarehousePlatformInput": {
		{"fileExchange", `url: "sftp://a.example.com/x", username: "u", password: "SECRET-p", complete: true, afterImport: DELETE, files: "in/*.csv", columns: {sku: "x"}`, `url: "sftp://b.example.com/x"`},
		{"http", `url: "https://a.example.com/x", token: "SECRET-t"`, `url: "https://b.example.com/x"`},
		{"push", `note: "by hand"`, ""},
		{"extensiv", `clientId: "c", clientSecret: "SECRET-s", userLogin: "u", customerId: "7", facilityId: "1", endpoint: "https://a.example.com"`, `endpoint: "https://b.example.com"`},
		{"shipHero", `refreshToken: "SECRET-r", accessToken: "SECRET-a", warehouseId: "w", snapshot: false, endpoint: "https://a.example.com"`, `endpoint: "https://b.example.com"`},
		{"shipBob", `token: "SECRET-t", apiVersion: "2026-01", byLocation: false, endpoint: "https://a.example.com"`, `endpoint: "https://b.example.com"`},
		{"tryton", `url: "https://a.example.com:8000", database: "d", username: "u", password: "SECRET-p", locationIds: [3, 4]`, `url: "https://b.example.com:8000"`},
	},
}

// settingsType is the type that tells the settings of an input type.
func settingsType(schema *gql.Schema, input string) *gql.Definition {
	return schema.Types[strings.TrimSuffix(input, "Input")+"Settings"]
}

func secret(f *gql.FieldDefinition) bool { return strings.Contains(f.Description, "Kept encrypted") }

// spec 5, 5.2: every platform has typed settings; what goes in is what comes out, but for secrets, of which only is told whether there are
// any. They stay where an update leaves them out, and do not go to another host.
func TestEveryPlatformKeepsItsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	schema := contract(t)
	for union, inputs := range platformInputs {
		side := strings.TrimSuffix(union, "PlatformInput") // Store or Warehouse
		lower := strings.ToLower(side)
		for i, p := range inputs {
			choice := schema.Types[union].Fields.ForName(p.field)
			if choice == nil {
				t.Fatalf("%s has no %s", union, p.field)
			}
			input, settings := schema.Types[choice.Type.Name()], settingsType(schema, choice.Type.Name())
			var asked, secrets []string
			for _, f := range input.Fields {
				if name := "has" + strings.ToUpper(f.Name[:1]) + f.Name[1:]; secret(f) {
					secrets = append(secrets, f.Name)
					asked = append(asked, name)
				} else if schema.Types[f.Type.Name()].Kind != gql.InputObject {
					asked = append(asked, f.Name)
				}
			}
			full := p.input
			row := func(op, extra, settingsOf string) (map[string]any, json.RawMessage, []byte) {
				t.Helper()
				got := w.do(admin, op, fmt.Sprintf(`{%s, platform: {%s: {%s}}}`, extra, p.field, settingsOf), fmt.Sprintf("%s { id settings { ... on %s { %s } } }", lower, settings.Name, strings.Join(asked, " ")), lower)
				var n int64
				if side == "Store" {
					n = w.rows.Store.Query().Order(ent.Desc("updated_at"), ent.Desc("id")).FirstX(t.Context()).ID
					r := w.rows.Store.GetX(t.Context(), n)
					return got.(map[string]any), r.Settings, r.Secrets
				}
				n = w.rows.Warehouse.Query().Order(ent.Desc("updated_at"), ent.Desc("id")).FirstX(t.Context()).ID
				r := w.rows.Warehouse.GetX(t.Context(), n)
				return got.(map[string]any), r.Settings, r.Secrets
			}
			got, open, sealed := row("create"+side, fmt.Sprintf(`merchantId: %q, name: "%s %d"`, id("Merchant", w.alpha.merchant), p.field, i), full)
			if strings.Contains(string(open), "SECRET") || strings.Contains(string(sealed), "SECRET") {
				t.Errorf("%s.%s: a secret is stored in the open: %s", union, p.field, open)
			}
			told := got["settings"].(map[string]any)
			for _, f := range input.Fields {
				name, given := f.Name, strings.Contains(full, f.Name+":")
				if secret(f) {
					if has := told["has"+strings.ToUpper(name[:1])+name[1:]]; has != given {
						t.Errorf("%s.%s: %s was given: %v, told: %v", union, p.field, name, given, has)
					}
				} else if v, ok := told[name]; ok && given && !strings.Contains(full, name+": "+literal(v)) && !strings.Contains(full, fmt.Sprint(name, ": ", v)) {
					t.Errorf("%s.%s: %s was given in %s, and is told as %v", union, p.field, name, full, v)
				}
			}

			change := fmt.Sprintf("%sId: %q", lower, got["id"])
			var rest []string // all but the secrets
			for _, part := range strings.Split(full, ", ") {
				if !strings.Contains(part, "SECRET") {
					rest = append(rest, part)
				}
			}
			got, _, _ = row("update"+side, change, strings.Join(rest, ", "))
			for _, name := range secrets {
				if has := got["settings"].(map[string]any)["has"+strings.ToUpper(name[:1])+name[1:]]; has != strings.Contains(full, name+":") {
					t.Errorf("%s.%s: %s is not as it was after an update that leaves it out: %v", union, p.field, name, has)
				}
			}
			if p.elsewhere == "" {
				continue
			}
			lead, _, _ := strings.Cut(p.elsewhere, ":")
			rest = slices.DeleteFunc(rest, func(part string) bool { return strings.HasPrefix(part, lead+":") })
			document := mutate("update"+side, fmt.Sprintf(`{%s, platform: {%s: {%s}}}`, change, p.field, strings.Join(append(rest, p.elsewhere), ", ")))
			if w.faults(admin, document) == "" { // a platform that can do without secrets
				got, open, _ = row("update"+side, change, strings.Join(append(rest, p.elsewhere), ", "))
				for _, name := range secrets {
					if got["settings"].(map[string]any)["has"+strings.ToUpper(name[:1])+name[1:]] != false {
						t.Errorf("%s.%s: %s went to another host: %s", union, p.field, name, open)
					}
				}
			}
		}
	}
}

func literal(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, literal(e))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// Every field of a platform's input reaches its settings, and can be read back.
func TestPlatformInputsAreWiredWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	schema := contract(t)
	for _, union := range []string{"StorePlatformInput", "WarehousePlatformInput"} {
		for _, choice := range schema.Types[union].Fields {
			input, settings := schema.Types[choice.Type.Name()], settingsType(schema, choice.Type.Name())
			all := map[string]any{}
			for _, f := range input.Fields {
				all[f.Name] = sample(schema, f.Type)
				name := f.Name
				if secret(f) {
					name = "has" + strings.ToUpper(name[:1]) + name[1:]
				}
				if settings.Fields.ForName(name) == nil {
					t.Errorf("%s has no %s", settings.Name, name)
				}
			}
			raw := must(json.Marshal(map[string]any{choice.Name: all}))
			change := func() error {
				if union == "StorePlatformInput" {
					_, err := w.platforms.ChangeStore(1, raw, nil)
					return err
				}
				_, err := w.platforms.ChangeWarehouse(1, raw, nil)
				return err
			}
			if err := change(); err != nil && fault.CodeOf(err) == "" {
				t.Errorf("%s.%s: %v", union, choice.Name, err)
			}
			tested := slices.ContainsFunc(platformInputs[union], func(p struct{ field, input, elsewhere string }) bool { return p.field == choice.Name })
			if err := change(); err != nil && strings.Contains(err.Error(), "cannot be reached so") == tested {
				t.Errorf("%s.%s is not wired, or not tested: %v", union, choice.Name, err)
			}
		}
	}
}

func sample(schema *gql.Schema, typ *gql.Type) any {
	if typ.Elem != nil {
		return []any{sample(schema, typ.Elem)}
	}
	switch def := schema.Types[typ.NamedType]; {
	case def.Kind == gql.InputObject:
		return map[string]any{}
	case def.Kind == gql.Enum:
		return def.EnumValues[0].Name
	case def.Name == "Boolean":
		return true
	case def.Name == "Int" || def.Name == "Float":
		return 1
	}
	return "x"
}

// store.remoteLocations asks the store itself, for those who may.
func TestRemoteLocations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	status := http.StatusOK
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		fmt.Fprint(rw, `{"data":{"locations":{"nodes":[{"id":"gid://shopify/Location/1","name":"Main","isActive":true},{"id":"gid://shopify/Location/2","name":"Back","isActive":true}],"pageInfo":{"hasNextPage":false}}},
			"extensions":{"cost":{"requestedQueryCost":2,"actualQueryCost":2,"throttleStatus":{"maximumAvailable":1000,"currentlyAvailable":998,"restoreRate":50}}}}`)
	}))
	defer api.Close()
	store := w.do(admin, "createStore", fmt.Sprintf(`{merchantId: %q, name: "Remote", platform: {shopify: {shop: "a.myshopify.com", accessToken: "token-1234", endpoint: %q}}, locations: [{code: "gid://shopify/Location/2", name: "Ours"}]}`,
		id("Merchant", w.alpha.merchant), api.URL), "store { id capabilities { maxBatch concurrency quantitySemantics } }", "store")
	if got := brief(at(store, "capabilities")); !strings.Contains(got, `"maxBatch":250`) || !strings.Contains(got, `"quantitySemantics":"AVAILABLE"`) {
		t.Errorf("capabilities %s", got)
	}
	ask := fmt.Sprintf(`{ node(id: %q) { ... on Store { remoteLocations { code name storeLocation { name store { name } } } } } }`, at(store, "id"))
	if got := brief(w.data(operator(w.alpha.merchant), "node.remoteLocations", ask)); got !=
		`[{"code":"gid://shopify/Location/1","name":"Main","storeLocation":null},{"code":"gid://shopify/Location/2","name":"Back","storeLocation":{"name":"Ours","store":{"name":"Remote"}}}]` {
		t.Errorf("got %s", got)
	}
	if got := w.ask(partner(w.alpha.merchant), ask).refused(); got != "FORBIDDEN" {
		t.Errorf("a PARTNER asks: %q", got)
	}
	status = http.StatusUnauthorized
	if got := w.ask(admin, ask).refused(); got != "CREDENTIALS_REFUSED" {
		t.Errorf("a token that is refused: %q", got)
	}
	other := fmt.Sprintf(`{ node(id: %q) { ... on Store { remoteLocations { code } capabilities { maxBatch quantitySemantics } } } }`, id("Store", w.alpha.store))
	if got := brief(w.data(admin, "node", other)); got != `{"capabilities":{"maxBatch":250,"quantitySemantics":"AVAILABLE"},"remoteLocations":[]}` {
		t.Errorf("a store without locations: %s", got)
	}
}
