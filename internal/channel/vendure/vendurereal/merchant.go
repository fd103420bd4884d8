package vendurereal

import "slices"

// SetupVariant makes a product with one variant that tracks its stock, and returns the variant's id. A SKU may be given to several.
func (s *Server) SetupVariant(sku string) string {
	s.tb.Helper()
	return s.SetupVariants(sku)[0]
}

// SetupVariants makes a variant for each SKU, in a product each.
func (s *Server) SetupVariants(skus ...string) []string {
	s.tb.Helper()
	var ids []string
	for _, sku := range skus {
		var product struct{ CreateProduct struct{ ID string } }
		s.Ask(`mutation($n:String!){createProduct(input:{translations:[{languageCode:en,name:$n,slug:$n,description:""}]}){id}}`, map[string]any{"n": sku}, &product)
		var made struct{ CreateProductVariants []struct{ ID string } }
		s.Ask(`mutation($input:[CreateProductVariantInput!]!){createProductVariants(input:$input){id}}`, map[string]any{"input": []any{map[string]any{
			"productId": product.CreateProduct.ID, "sku": sku, "price": 1000, "trackInventory": "TRUE",
			"translations": []any{map[string]any{"languageCode": "en", "name": sku}},
		}}}, &made)
		ids = append(ids, made.CreateProductVariants[0].ID)
	}
	return ids
}

// DeleteVariant deletes a variant.
func (s *Server) DeleteVariant(id string) {
	s.tb.Helper()
	s.Ask(`mutation($id:ID!){deleteProductVariant(id:$id){result}}`, map[string]any{"id": id}, nil)
}

// SetupLocation makes a stock location, and returns its id.
func (s *Server) SetupLocation(name string) string {
	s.tb.Helper()
	var made struct{ CreateStockLocation struct{ ID string } }
	s.Ask(`mutation($n:String!){createStockLocation(input:{name:$n}){id}}`, map[string]any{"n": name}, &made)
	return made.CreateStockLocation.ID
}

// APIKey makes a key with all the superadmin's rights.
func (s *Server) APIKey() string {
	s.tb.Helper()
	var roles struct {
		Roles struct{ Items []struct{ ID, Code string } }
	}
	s.Ask(`{roles{items{id code}}}`, nil, &roles)
	i := slices.IndexFunc(roles.Roles.Items, func(r struct{ ID, Code string }) bool { return r.Code == "__super_admin_role__" })
	if i < 0 {
		s.tb.Fatalf("there is no role of a superadmin among %v", roles)
	}
	var made struct{ CreateAPIKey struct{ APIKey string } }
	s.Ask(`mutation($r:ID!){createApiKey(input:{roleIds:[$r],translations:[{languageCode:en,name:"Stockbridge"}]}){apiKey}}`, map[string]any{"r": roles.Roles.Items[i].ID}, &made)
	return made.CreateAPIKey.APIKey
}

// SetupAdministrator makes an administrator who has just these rights, in the default channel.
func (s *Server) SetupAdministrator(email, password string, rights ...string) {
	s.tb.Helper()
	var channel struct{ ActiveChannel struct{ ID string } }
	s.Ask(`{activeChannel{id}}`, nil, &channel)
	var role struct{ CreateRole struct{ ID string } }
	s.Ask(`mutation($input:CreateRoleInput!){createRole(input:$input){id}}`, map[string]any{"input": map[string]any{
		"code": email, "description": email, "permissions": rights, "channelIds": []string{channel.ActiveChannel.ID},
	}}, &role)
	s.Ask(`mutation($input:CreateAdministratorInput!){createAdministrator(input:$input){id}}`, map[string]any{"input": map[string]any{
		"firstName": "Stock", "lastName": "Bridge", "emailAddress": email, "password": password, "roleIds": []string{role.CreateRole.ID},
	}}, nil)
}

// EndSessions ends every session of the superadmin, as a log-out does; the server's own helper methods go on in a new one.
func (s *Server) EndSessions() {
	s.tb.Helper()
	s.Ask(`mutation{logout{success}}`, nil, nil)
	s.token = s.login()
}

// Level is what a variant has at a stock location.
func (s *Server) Level(sku, location string) (onHand, allocated int64) {
	s.tb.Helper()
	var got struct {
		ProductVariants struct {
			Items []struct {
				StockLevels []struct {
					StockLocationID             string
					StockOnHand, StockAllocated int64
				}
			}
		}
	}
	s.Ask(`query($sku:String!){productVariants(options:{filter:{sku:{eq:$sku}}}){items{stockLevels{stockLocationId stockOnHand stockAllocated}}}}`, map[string]any{"sku": sku}, &got)
	for _, v := range got.ProductVariants.Items {
		for _, l := range v.StockLevels {
			if l.StockLocationID == location {
				return l.StockOnHand, l.StockAllocated
			}
		}
	}
	s.tb.Fatalf("%s has no stock at %s: %v", sku, location, got)
	return 0, 0
}
