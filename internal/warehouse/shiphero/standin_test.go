package shiphero

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse/paged/pagedtest"
)

// documented is the part of ShipHero's published schema that is used, so that a field or argument that there is not is noticed.
const documented = `
scalar ISODateTime
type Query {
  warehouse_products(warehouse_id: String, sku: String, active: Boolean, analyze: Boolean): WarehouseProductsQueryResult
  inventory_snapshot(snapshot_id: String!, analyze: Boolean): InventorySnapshotQueryResult
}
type Mutation { inventory_generate_snapshot(data: InventoryGenerateSnapshotInput!): InventorySnapshotOutput }
type WarehouseProductsQueryResult {
  request_id: String complexity: Int
  data(sort: String, first: Int, last: Int, before: String, after: String): WarehouseProductConnection
}
type WarehouseProductConnection { pageInfo: PageInfo! edges: [WarehouseProductEdge]! }
type WarehouseProductEdge { node: WarehouseProduct cursor: String! }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type WarehouseProduct { id: String sku: String warehouse_id: String warehouse_identifier: String on_hand: Int allocated: Int available: Int backorder: Int }
input InventoryGenerateSnapshotInput {
  customer_account_id: String warehouse_id: String notification_email: String post_url: String post_url_pre_check: Boolean
  new_format: Boolean updated_from: ISODateTime has_inventory: Boolean
}
type InventorySnapshotOutput { request_id: String complexity: Int snapshot: InventorySnapshot }
type InventorySnapshotQueryResult { request_id: String complexity: Int snapshot: InventorySnapshot }
type InventorySnapshot { snapshot_id: String warehouse_id: String status: String error: String snapshot_url: String snapshot_expiration: ISODateTime }
`

// standIn answers as ShipHero documents it, and holds what is asked against the schema and its credits.
type standIn struct {
	t        testing.TB
	clock    *pagedtest.Clock
	products []string // nodes
	size     int      // of a page; 0: as asked for
	price    float64  // of a page; 0: free
	quota    bool     // whether replies tell what is left
	looks    []string // what each look at the snapshot finds; the last again and again
	files    *httptest.Server
	schema   *ast.Schema

	mu      sync.Mutex // guards what follows
	tokens  int
	credits float64
	at      time.Time
	refused int
	asked   []map[string]any // variables
	looked  int
}

func start(t *testing.T, w *standIn, change func(*Config)) (*Source, *pagedtest.Clock) {
	t.Helper()
	w.t, w.clock = t, pagedtest.NewClock()
	w.prepare()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return source(t, server.URL, w.clock.Options(), change), w.clock
}

func (w *standIn) prepare() {
	w.schema = gqlparser.MustLoadSchema(&ast.Source{Name: "documented", Input: documented})
	w.credits, w.at = fullPurse, w.clock.Now()
}

func source(t testing.TB, endpoint string, opts outbound.Options, change func(*Config)) *Source {
	t.Helper()
	cfg := Config{RefreshToken: "refresh-token", Endpoint: endpoint}
	if change != nil {
		change(&cfg)
	}
	return pagedtest.Open(t, New, cfg, opts)
}

func (w *standIn) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var body struct {
		Query     string
		Variables map[string]any
		Refresh   string `json:"refresh_token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost {
		w.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	if r.URL.Path == "/auth/refresh" {
		if body.Refresh != "refresh-token" {
			rw.WriteHeader(http.StatusBadRequest)
			io.WriteString(rw, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`)
			return
		}
		w.tokens++
		fmt.Fprintf(rw, `{"access_token":"access-%d","expires_in":2419200,"scope":"openid","token_type":"Bearer"}`, w.tokens)
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer access-"+strconv.Itoa(w.tokens) && got != "Bearer given-token" || r.URL.Path != "/graphql" {
		rw.WriteHeader(http.StatusUnauthorized)
		io.WriteString(rw, `{"errors":[{"message":"Invalid token","code":3}]}`)
		return
	}
	doc, errs := gqlparser.LoadQueryWithRules(w.schema, body.Query, rules.NewDefaultRules())
	if errs != nil {
		w.t.Errorf("a query that the schema does not know: %v", errs)
		return
	}
	if _, err := validator.VariableValues(w.schema, doc.Operations[0], body.Variables); err != nil {
		w.t.Errorf("variables that the schema does not take: %v", err)
	}
	w.asked = append(w.asked, body.Variables)
	switch field := doc.Operations[0].SelectionSet[0].(*ast.Field); field.Name {
	case "warehouse_products":
		w.page(rw, body.Variables)
	case "inventory_generate_snapshot":
		io.WriteString(rw, `{"data":{"inventory_generate_snapshot":{"request_id":"r","complexity":30,"snapshot":{"snapshot_id":"s1","status":"InventorySnapshotStatus.enqueued","error":null}}}}`)
	case "inventory_snapshot":
		w.looked++
		look := strings.ReplaceAll(w.looks[min(w.looked, len(w.looks))-1], "FILES", w.filesURL())
		fmt.Fprintf(rw, `{"data":{"inventory_snapshot":{"request_id":"r","complexity":1,"snapshot":%s}}}`, look)
	default:
		w.t.Errorf("asked for %s", field.Name)
	}
}

func (w *standIn) filesURL() string {
	if w.files == nil {
		return ""
	}
	return w.files.URL
}

// page gives a page for its price, or refuses it as ShipHero does.
func (w *standIn) page(rw http.ResponseWriter, variables map[string]any) {
	now := w.clock.Now()
	w.credits, w.at = min(fullPurse, w.credits+now.Sub(w.at).Seconds()*perSecond), now
	if w.credits < w.price {
		w.refused++
		lacks := w.price - w.credits
		fmt.Fprintf(rw, `{"errors":[{"message":"There are not enough credits to perform the requested operation","code":30,"operation":"warehouse_products","required_credits":%g,"remaining_credits":%g,"time_remaining":"%d seconds"}],"data":{"warehouse_products":null}}`,
			w.price, w.credits, int(lacks/perSecond)+1)
		return
	}
	w.credits -= w.price
	from := 0
	if after, ok := variables["after"].(string); ok {
		n, err := strconv.Atoi(after)
		if err != nil {
			w.t.Errorf("cursor %q", after)
		}
		from = n
	}
	size := int(variables["first"].(float64))
	if w.size > 0 {
		size = min(size, w.size)
	}
	to := min(from+size, len(w.products))
	var edges []string
	for _, node := range w.products[from:to] {
		edges = append(edges, `{"node":`+node+`}`)
	}
	extensions := ""
	if w.quota {
		extensions = fmt.Sprintf(`,"extensions":{"throttling":{"cost":%g,"user_quota":{"credits_remaining":%g,"max_available":4004,"increment_rate":60}}}`, w.price, w.credits)
	}
	fmt.Fprintf(rw, `{"data":{"warehouse_products":{"request_id":"r","complexity":%g,"data":{"pageInfo":{"hasNextPage":%v,"endCursor":"%d"},"edges":[%s]}}}%s}`,
		w.price, to < len(w.products), to, strings.Join(edges, ","), extensions)
}

func node(sku, warehouse string, onHand, allocated, available int) string {
	return fmt.Sprintf(`{"sku":%q,"warehouse_id":%q,"on_hand":%d,"allocated":%d,"available":%d}`, sku, warehouse, onHand, allocated, available)
}
