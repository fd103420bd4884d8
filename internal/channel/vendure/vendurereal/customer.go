package vendurereal

import "strconv"

// variant is the id of the only variant with a SKU, and its product's.
func (s *Server) variant(sku string) (id, product string) {
	s.tb.Helper()
	var got struct {
		ProductVariants struct {
			Items []struct{ ID, ProductID string }
		}
	}
	s.Ask(`query($sku:String!){productVariants(options:{filter:{sku:{eq:$sku}}}){items{id productId}}}`, map[string]any{"sku": sku}, &got)
	if len(got.ProductVariants.Items) != 1 {
		s.tb.Fatalf("%d variants have SKU %s", len(got.ProductVariants.Items), sku)
	}
	return got.ProductVariants.Items[0].ID, got.ProductVariants.Items[0].ProductID
}

// SaleableStock is how much of a variant the shop would sell now, over all stock locations, as it tells its customers.
func (s *Server) SaleableStock(sku string) int64 {
	s.tb.Helper()
	_, product := s.variant(sku)
	var got struct {
		Product struct {
			Variants []struct{ SKU, StockLevel string }
		}
	}
	s.post(s.Shop, "", `query($id:ID!){product(id:$id){variants{sku stockLevel}}}`, map[string]any{"id": product}, &got)
	for _, v := range got.Product.Variants {
		if v.SKU == sku {
			n, err := strconv.ParseInt(v.StockLevel, 10, 64)
			s.check(err)
			return n
		}
	}
	s.tb.Fatalf("the shop does not show %s", sku)
	return 0
}

// PlaceOrder has a customer order and pay, which allocates the units, and returns the order's id. It fails the test when the
// shop has too few to sell.
func (s *Server) PlaceOrder(sku string, units int) string {
	s.tb.Helper()
	id, _ := s.variant(sku)
	step := func(token, document string, variables map[string]any) (string, map[string]any) {
		s.tb.Helper()
		var got map[string]map[string]any
		next := s.post(s.Shop, token, document, variables, &got)
		for _, result := range got {
			if result["__typename"] != "Order" {
				s.tb.Fatalf("the shop answered %v to %s", result, document)
			}
			if next == "" {
				next = token
			}
			return next, result
		}
		return next, nil
	}
	const order = `{__typename ...on Order{id state} ...on ErrorResult{errorCode message}}`
	token, _ := step("", `mutation($v:ID!,$n:Int!){addItemToOrder(productVariantId:$v,quantity:$n)`+order+`}`, map[string]any{"v": id, "n": units})
	step(token, `mutation{setCustomerForOrder(input:{firstName:"Ada",lastName:"Customer",emailAddress:"ada@example.com"})`+order+`}`, nil)
	step(token, `mutation{setOrderShippingAddress(input:{streetLine1:"Ring 1",city:"Wien",countryCode:"AT"})`+order+`}`, nil)
	var methods struct{ EligibleShippingMethods []struct{ ID string } }
	s.post(s.Shop, token, `{eligibleShippingMethods{id}}`, nil, &methods)
	if len(methods.EligibleShippingMethods) == 0 {
		s.tb.Fatal("the shop ships nothing")
	}
	step(token, `mutation($m:[ID!]!){setOrderShippingMethod(shippingMethodId:$m)`+order+`}`, map[string]any{"m": []string{methods.EligibleShippingMethods[0].ID}})
	step(token, `mutation{transitionOrderToState(state:"ArrangingPayment")`+order+`}`, nil)
	_, placed := step(token, `mutation{addPaymentToOrder(input:{method:"standard-payment",metadata:{}})`+order+`}`, nil)
	if placed["state"] != "PaymentSettled" {
		s.tb.Fatalf("the order is in state %v", placed["state"])
	}
	return placed["id"].(string)
}

// Ship sends all of an order, which takes the units off the shelf and off what is allocated.
func (s *Server) Ship(order string) {
	s.tb.Helper()
	var got struct {
		Order struct {
			Lines []struct {
				ID       string
				Quantity int
			}
		}
	}
	s.Ask(`query($id:ID!){order(id:$id){lines{id quantity}}}`, map[string]any{"id": order}, &got)
	var lines []any
	for _, l := range got.Order.Lines {
		lines = append(lines, map[string]any{"orderLineId": l.ID, "quantity": l.Quantity})
	}
	var made struct {
		AddFulfillmentToOrder struct{ State, Message string }
	}
	s.Ask(`mutation($input:FulfillOrderInput!){addFulfillmentToOrder(input:$input){...on Fulfillment{state} ...on ErrorResult{message}}}`, map[string]any{"input": map[string]any{
		"lines": lines, "handler": map[string]any{"code": "manual-fulfillment", "arguments": []any{
			map[string]any{"name": "method", "value": "post"}, map[string]any{"name": "trackingCode", "value": ""},
		}},
	}}, &made)
	if made.AddFulfillmentToOrder.State == "" {
		s.tb.Fatalf("not shipped: %s", made.AddFulfillmentToOrder.Message)
	}
}
