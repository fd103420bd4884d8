package trytonreal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// object is a JSON object.
type object = map[string]any

// Call calls a method of Tryton's JSON-RPC and reads its result, unless that is nil. The last parameter is the context.
func (s *Server) Call(result any, method string, params ...any) {
	s.tb.Helper()
	body, err := json.Marshal(object{"id": 1, "method": method, "params": params})
	s.check(err)
	req, err := http.NewRequest(http.MethodPost, s.URL+"/"+Database+"/", bytes.NewReader(body))
	s.check(err)
	req.Header.Set("Content-Type", "application/json")
	if s.session != "" {
		req.Header.Set("Authorization", "Session "+s.session)
	}
	resp, err := http.DefaultClient.Do(req)
	s.check(err)
	defer resp.Body.Close() //nolint:errcheck // read
	var got struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if resp.StatusCode != http.StatusOK {
		s.tb.Fatalf("Tryton answered %s to %s", resp.Status, method)
	}
	s.check(json.NewDecoder(resp.Body).Decode(&got))
	if len(got.Error) > 0 {
		s.tb.Fatalf("Tryton refused %s: %s", method, got.Error)
	}
	if result != nil {
		s.check(json.Unmarshal(got.Result, result))
	}
}

func (s *Server) signIn() {
	s.tb.Helper()
	var session []any
	s.Call(&session, "common.db.login", Username, object{"password": Password})
	if len(session) != 2 {
		s.tb.Fatalf("signing in gave %v", session)
	}
	s.session = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%v:%v", Username, session[0], session[1]))
}

// Expire ends every session of the user, as Tryton does by itself with one that is not used for a while: it does so when a password is
// set, be it the same.
func (s *Server) Expire() {
	s.tb.Helper()
	s.Call(nil, "model.res.user.write", []int{1}, object{"password": Password}, object{})
	s.signIn()
}

// setUp makes a company for the user, whose stock all will be.
func (s *Server) setUp() {
	s.tb.Helper()
	party := s.create("party.party", object{"name": "Alpine Bikes"})
	currency := s.create("currency.currency", object{"name": "Euro", "code": "EUR", "symbol": "€"})
	s.company = s.create("company.company", object{"party": party, "currency": currency})
	s.Call(nil, "model.res.user.write", []int{1}, object{"companies": []any{[]any{"add", []int{s.company}}}, "company": s.company}, object{})
	s.unit = s.Find("product.uom", "symbol", "u")
	s.storage = s.Find("stock.location", "code", "STO")
	s.customer = s.Find("stock.location", "code", "CUS")
}

func (s *Server) context() object {
	if s.company == 0 {
		return object{}
	}
	return object{"company": s.company}
}

// create makes a record, and returns its id.
func (s *Server) create(model string, values object) int {
	s.tb.Helper()
	var ids []int
	s.Call(&ids, "model."+model+".create", []object{values}, s.context())
	if len(ids) != 1 {
		s.tb.Fatalf("making a %s gave %v", model, ids)
	}
	return ids[0]
}

// Find is the id of the one record of a model whose field has a value.
func (s *Server) Find(model, field string, value any) int {
	s.tb.Helper()
	var ids []int
	s.Call(&ids, "model."+model+".search", []any{[]any{field, "=", value}}, 0, nil, nil, s.context())
	if len(ids) != 1 {
		s.tb.Fatalf("%s with %s %v: found %v", model, field, value, ids)
	}
	return ids[0]
}

func decimal(text string) object { return object{"__class__": "Decimal", "decimal": text} }

// AddProduct makes goods with a code, which is their SKU; "" for none. It returns the product's id.
func (s *Server) AddProduct(code string) int {
	s.tb.Helper()
	product := object{"cost_price": decimal("1.00")}
	if code != "" {
		product["suffix_code"] = code
	}
	template := s.create("product.template", object{
		"name": "Product " + code, "type": "goods", "default_uom": s.unit, "list_price": decimal("2.00"), "products": []any{[]any{"create", []object{product}}},
	})
	return s.Find("product.product", "template", template)
}

// SetStock confirms an inventory of the storage zone of warehouse "WH": from now on that much of the product with a code is on hand there.
func (s *Server) SetStock(code string, quantity float64) {
	s.tb.Helper()
	s.SetStockOf(s.Find("product.product", "code", code), s.storage, quantity)
}

// SetStockOf is SetStock of a product's id at a storage location.
func (s *Server) SetStockOf(product, location int, quantity float64) {
	s.tb.Helper()
	inventory := s.create("stock.inventory", object{
		"location": location, "date": today(), "company": s.company, "empty_quantity": "keep",
		"lines": []any{[]any{"create", []object{{"product": product, "quantity": quantity}}}},
	})
	s.Call(nil, "model.stock.inventory.confirm", []int{inventory}, s.context())
}

func today() object {
	now := time.Now()
	return object{"__class__": "date", "year": now.Year(), "month": int(now.Month()), "day": now.Day()}
}

// AssignOutgoing reserves that much of the product with a code for a customer: it stays on hand, but is not available. It returns the
// move's id.
func (s *Server) AssignOutgoing(code string, quantity float64) int {
	s.tb.Helper()
	move := s.create("stock.move", object{
		"product": s.Find("product.product", "code", code), "quantity": quantity, "uom": s.unit, "from_location": s.storage, "to_location": s.customer,
		"company": s.company, "currency": s.Find("currency.currency", "code", "EUR"), "unit_price": decimal("2.00"),
	})
	s.Call(nil, "model.stock.move.write", []int{move}, object{"state": "assigned"}, s.context())
	return move
}

// Ship does a move that was assigned: its goods leave.
func (s *Server) Ship(move int) {
	s.tb.Helper()
	s.Call(nil, "model.stock.move.do", []int{move}, s.context())
}

// AddWarehouse makes a second warehouse with a code, and returns its id and that of its storage location.
func (s *Server) AddWarehouse(code string) (warehouse, storage int) {
	s.tb.Helper()
	in := s.create("stock.location", object{"name": code + " input", "type": "storage"})
	storage = s.create("stock.location", object{"name": code + " storage", "type": "storage"})
	out := s.create("stock.location", object{"name": code + " output", "type": "storage"})
	warehouse = s.create("stock.location", object{
		"name": code, "code": code, "type": "warehouse", "input_location": in, "storage_location": storage, "output_location": out,
		"lost_found_location": s.Find("stock.location", "type", "lost_found"),
	})
	s.Call(nil, "model.stock.location.write", []int{in, storage, out}, object{"parent": warehouse}, s.context())
	return warehouse, storage
}
