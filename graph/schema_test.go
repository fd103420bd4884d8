package graph_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	gql "github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/fault"
)

// contract is the schema as it is written.
func contract(t *testing.T) *gql.Schema {
	t.Helper()
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&gql.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// own are the types that are not GraphQL's.
func own(schema *gql.Schema) []*gql.Definition {
	var out []*gql.Definition
	for _, def := range schema.Types {
		if !def.BuiltIn {
			out = append(out, def)
		}
	}
	slices.SortFunc(out, func(a, b *gql.Definition) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// spec 5: "descriptions on every type and field".
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	missing := func(what, description string) {
		if s := strings.TrimSpace(description); len(s) < 6 || !strings.HasSuffix(s, ".") {
			t.Errorf("%s is described as %q; write a sentence", what, s)
		}
	}
	schema := contract(t)
	missing("the schema", schema.Description)
	for _, def := range own(schema) {
		missing(def.Name, def.Description)
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			missing(def.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				missing(def.Name+"."+f.Name+"("+a.Name+")", a.Description)
			}
		}
		for _, v := range def.EnumValues {
			missing(def.Name+"."+v.Name, v.Description)
		}
	}
}

// spec 5: the names that are fixed.
func TestContractHasTheNamesOfTheSpec(t *testing.T) {
	t.Parallel()
	schema := contract(t)
	tests := map[string]string{
		"Query": "viewer node merchants warehouses stores connections products listings partitionStrategies syncRuns tokens warehouseLevels channelLevels inventoryItem activities",
		"Mutation": `createMerchant createWarehouse createStore createConnection createProduct createListing createPartitionStrategy
			updateMerchant updateWarehouse updateStore updateConnection updateProduct updateListing updatePartitionStrategy
			deleteMerchant deleteWarehouse deleteStore deleteConnection deleteProduct deleteListing deletePartitionStrategy
			setSchedule setLocationLinks setStoreLimits enableConnection disableConnection enableInventory disableInventory testWarehouse testStore
			startSync cancelSync reportWarehouseLevels importCatalog createToken revokeToken`,
		"Subscription":   "activity syncRun warehouseLevelChanged channelLevelChanged",
		"Viewer":         "name role merchants",
		"WarehouseLevel": "id sku merchant warehouse facility product available onHand committed reportedAt updatedAt",
		"ChannelLevel":   "id channelSku sku merchant store location product listing quantity pushedQuantity committed status lastError lastPushedAt updatedAt",
		"Activity":       "id cursor at kind sku channelSku merchant warehouse facility store location run before after message",
		"SyncRun":        "id connection mode trigger status startedAt finishedAt error reported changed rejected planned pushed unchanged failed excluded problems",
		"InventoryItem":  "product warehouseLevels channelLevels activities",
		"PageInfo":       "hasNextPage hasPreviousPage startCursor endCursor",
		"UserError":      "code field message",

		"CreateMerchantInput":          "name",
		"CreateWarehouseInput":         "merchantId name platform quantitySource missingSkuPolicy maxDropPercent",
		"CreateStoreInput":             "merchantId name platform scope limits locations",
		"CreateConnectionInput":        "name warehouseId storeId priority timeZone pushOnChange",
		"CreateProductInput":           "merchantId sku name upc imageUrl components",
		"CreateListingInput":           "storeId sku channelSku inventoryEnabled maxQuantity name",
		"CreatePartitionStrategyInput": "warehouseId name buffer minimumDistributable distribution remainder shares active",
		"PartitionBufferInput":         "percentage quantity",
		"PartitionShareInput":          "storeId weight cap quantity",
		"BundleComponentInput":         "sku quantity",
		"StoreLocationInput":           "code name",
		"StoreLimitInput":              "pattern action",
		"SetScheduleInput":             "connectionId mode timeZone rules",
		"ScheduleRuleInput":            "type every minute at unit startHour endHour weekdays cron",
		"SetLocationLinksInput":        "connectionId links",
		"LocationLinkInput":            "facilityCode locationCode",
		"SetStoreLimitsInput":          "storeId scope limits",
		"EnableConnectionInput":        "connectionId",
		"DisableConnectionInput":       "connectionId",
		"EnableInventoryInput":         "connectionId startFullSync",
		"DisableInventoryInput":        "connectionId",
		"StartSyncInput":               "connectionId mode",
		"ReportWarehouseLevelsInput":   "warehouseId complete levels",
		"WarehouseLevelInput":          "sku facility available onHand committed",
		"CreateTokenInput":             "name role merchantIds expiresAt",
		"RevokeTokenInput":             "tokenId",
		"WarehousePlatformInput":       "fileExchange http push",
		"StorePlatformInput":           "http fileExchange",
		"FileExchangeWarehouseInput":   "url username password privateKey hostKey complete columns afterImport",
		"HttpWarehouseInput":           "url token",
		"HttpStoreInput":               "url token signingSecret batchSize",
		"WarehouseLevelWhere":          "merchantId warehouseId facilityId sku",
		"ChannelLevelWhere":            "merchantId storeId channelSku sku status",
		"ActivityWhere":                "merchantId sku storeId warehouseId kinds",
		"StringFilter":                 "eq in prefix contains",
		"ChannelLevelStatusFilter":     "in",

		"CreateMerchantPayload":          "merchant userErrors",
		"CreateWarehousePayload":         "warehouse userErrors",
		"CreateStorePayload":             "store userErrors",
		"CreateConnectionPayload":        "connection userErrors",
		"CreateProductPayload":           "product userErrors",
		"CreateListingPayload":           "listing userErrors",
		"CreatePartitionStrategyPayload": "partitionStrategy userErrors",
		"StartSyncPayload":               "run userErrors",
		"CreateTokenPayload":             "token secret userErrors",
		"RevokeTokenPayload":             "token userErrors",
	}
	for typ, names := range tests {
		def := schema.Types[typ]
		if def == nil {
			t.Errorf("there is no type %s", typ)
			continue
		}
		for name := range strings.FieldsSeq(names) {
			if def.Fields.ForName(name) == nil {
				t.Errorf("%s has no %s", typ, name)
			}
		}
	}
	for _, name := range []string{"WarehousePlatformInput", "StorePlatformInput", "PartitionBufferInput"} {
		if schema.Types[name].Directives.ForName("oneOf") == nil {
			t.Errorf("%s is not @oneOf", name)
		}
	}
	if d := schema.Types["EnableInventoryInput"].Fields.ForName("startFullSync").DefaultValue; d == nil || d.Raw != "true" {
		t.Errorf("startFullSync is %v by default", d)
	}
}

// spec 5: every list is a connection, every mutation takes one input named after it and answers user errors.
func TestContractKeepsItsConventions(t *testing.T) {
	t.Parallel()
	schema := contract(t)
	for _, def := range own(schema) {
		for _, f := range def.Fields {
			if !strings.HasSuffix(f.Type.Name(), "Connection") || f.Type.Name() == "Connection" || def.Kind == gql.InputObject {
				continue
			}
			args := []string{"first", "after", "last", "before"}
			if f.Name == "catalogProblems" { // found while they are listed: forward only
				args = args[:2]
			}
			for _, arg := range args {
				if f.Arguments.ForName(arg) == nil {
					t.Errorf("%s.%s has no %s", def.Name, f.Name, arg)
				}
			}
			page := schema.Types[f.Type.Name()]
			for _, field := range []string{"edges", "nodes", "pageInfo", "totalCount"} {
				if page.Fields.ForName(field) == nil {
					t.Errorf("%s has no %s", page.Name, field)
				}
			}
			if order := f.Arguments.ForName("orderBy"); order != nil {
				o := schema.Types[order.Type.Name()]
				if o.Fields.ForName("field") == nil || o.Fields.ForName("direction") == nil {
					t.Errorf("%s has no field or direction", o.Name)
				}
			}
		}
	}
	for _, m := range schema.Mutation.Fields {
		upper := strings.ToUpper(m.Name[:1]) + m.Name[1:]
		if len(m.Arguments) != 1 || m.Arguments[0].Name != "input" || m.Arguments[0].Type.String() != upper+"Input!" {
			t.Errorf("%s does not take input: %sInput!", m.Name, upper)
		}
		if m.Type.String() != upper+"Payload!" || schema.Types[upper+"Payload"].Fields.ForName("userErrors").Type.String() != "[UserError!]!" {
			t.Errorf("%s does not answer %sPayload! with userErrors", m.Name, upper)
		}
		if strings.HasPrefix(m.Name, "delete") && schema.Types[upper+"Payload"].Fields.ForName("deletedId") == nil {
			t.Errorf("%s does not answer deletedId", m.Name)
		}
	}
	for _, def := range own(schema) {
		if def.Kind == gql.Enum && slices.ContainsFunc(def.EnumValues, func(v *gql.EnumValueDefinition) bool { return v.Name != strings.ToUpper(v.Name) }) {
			t.Errorf("%s is not in SCREAMING_CASE", def.Name)
		}
	}
}

// The API's enums have the values that rows can have, no more and no less.
func TestEnumsAreThoseOfTheTables(t *testing.T) {
	t.Parallel()
	schema := contract(t)
	for name, set := range map[string]interface{ Values() []string }{
		"Platform": enum.Platform(""), "QuantitySource": enum.QuantitySource(""), "MissingSkuPolicy": enum.MissingSKUPolicy(""), "OnExclude": enum.OnExclude(""),
		"StoreScope": enum.StoreScope(""), "LimitAction": enum.LimitAction(""), "PartitionDistribution": enum.Distribution(""), "PartitionRemainder": enum.Remainder(""),
		"SyncMode": enum.SyncMode(""), "SyncRunTrigger": enum.SyncTrigger(""), "SyncRunStatus": enum.SyncStatus(""), "SyncRunStep": enum.SyncStep(""),
		"ChannelLevelStatus": enum.LevelStatus(""), "ActivityKind": enum.ActivityKind(""), "RunProblemKind": enum.ProblemKind(""), "Role": enum.Role(""), "ImportKind": enum.ImportKind(""), "ImportFormat": enum.ImportFormat(""),
		"ImportOnError": enum.ImportOnError(""), "ImportStatus": enum.ImportStatus(""),
	} {
		if got, want := values(schema.Types[name]), set.Values(); !slices.Equal(got, want) {
			t.Errorf("%s has %v, rows have %v", name, got, want)
		}
	}
}

func values(def *gql.Definition) []string {
	var out []string
	for _, v := range def.EnumValues {
		out = append(out, v.Name)
	}
	return out
}

// Every code that a fault can have is one that clients know of, but for those that are never user errors.
func TestFaultCodesAreInTheContract(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/fault/fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && fmt.Sprint(spec.Type) == "Code" {
			for _, v := range spec.Values {
				code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				// What a request as a whole is refused with is never a user error.
				whole := []fault.Code{fault.Unauthenticated, fault.Forbidden, fault.CursorExpired}
				if c := fault.Code(code); !slices.Contains(whole, c) && !strings.HasPrefix(code, "IDEMPOTENCY_") {
					codes = append(codes, code)
				}
			}
		}
		return true
	})
	known := values(contract(t).Types["UserErrorCode"])
	slices.Sort(codes)
	slices.Sort(known)
	if len(codes) < 20 || !slices.Equal(codes, known) {
		t.Errorf("faults have %v\nthe schema has %v", codes, known)
	}
}
