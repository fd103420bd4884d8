package graph_test

import (
	"time"

	"stockbridge/ent/facility"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/storelocation"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse/fileexchange"
)

// tenants gives the world two merchants whose every text begins with their name.
func (w *world) tenants() *world {
	w.t.Helper()
	w.alpha, w.beta = w.tenant("ALPHA"), w.tenant("BETA")
	return w
}

func (w *world) tenant(name string) (t tenant) {
	w.t.Helper()
	ctx := w.t.Context()
	long := func(s string) *string { return new(name + s) }
	t.merchant = must(w.db.CreateMerchant(ctx, database.CreateMerchant{Name: name})).ID
	push := must(w.platforms.StoreWarehouse(t.merchant, platform.Warehouse{Push: &platform.Push{Note: name + " note"}}))
	t.warehouse = must(w.db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: t.merchant, Name: name + " house", Platform: push})).ID
	files := must(w.platforms.StoreWarehouse(t.merchant, platform.Warehouse{FileExchange: &fileexchange.Config{URL: "file://" + w.files, Username: name + " user"}}))
	t.files = must(w.db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: t.merchant, Name: name + " files", Platform: files})).ID
	http := must(w.platforms.StoreStore(t.merchant, platform.Store{HTTP: &platform.HTTPStore{URL: w.shop.URL, Token: name + "-token", SigningSecret: name + "-secret"}}))
	t.store = must(w.db.CreateStore(ctx, database.CreateStore{MerchantID: t.merchant, Name: name + " shop", Platform: http,
		Limits:    []database.Limit{{Pattern: name + "-X*", Action: enum.Skip}},
		Locations: []database.Location{{Code: name + "-L1", Name: name + " location"}}})).ID
	t.connection = must(w.db.CreateConnection(ctx, database.CreateConnection{MerchantID: t.merchant, Name: name + " connection", WarehouseID: t.warehouse, StoreID: t.store})).ID
	must(w.db.SetLocationLinks(ctx, t.merchant, t.connection, database.SetLocationLinks{Links: []database.LocationLink{{FacilityCode: name + "-F1", LocationCode: name + "-L1"}}}))
	t.facility = w.rows.Facility.Query().Where(facility.MerchantID(t.merchant)).OnlyIDX(ctx)
	t.location = w.rows.StoreLocation.Query().Where(storelocation.MerchantID(t.merchant)).OnlyIDX(ctx)
	t.product = must(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: t.merchant, SKU: name + "-BIKE", Name: name + " bike", UPC: long(" upc")})).ID
	t.bundle = must(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: t.merchant, SKU: name + "-SET", Name: name + " set",
		Components: []database.Component{{SKU: name + "-BIKE", Quantity: 2}}})).ID
	t.listing = must(w.db.CreateListing(ctx, database.CreateListing{MerchantID: t.merchant, StoreID: t.store, SKU: name + "-BIKE", ChannelSKU: name + "-CH", Name: long(" listing"), Description: long(" text")})).ID
	t.strategy = must(w.db.CreatePartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: t.merchant, WarehouseID: t.warehouse, Name: name + " strategy",
		Buffer: database.Buffer{BasisPoints: new(int64(1250))}, Shares: []database.Share{{StoreID: t.store, Weight: new(int64(3))}}})).ID
	t.token = must(w.db.CreateToken(ctx, database.CreateToken{Name: name + " token", Role: enum.Operator, MerchantIDs: []int64{t.merchant}, Hash: access.Hash(name), Hint: "hint"})).ID

	now := w.db.Now()
	t.level = w.rows.WarehouseLevel.Create().SetMerchantID(t.merchant).SetWarehouseID(t.warehouse).SetFacilityID(t.facility).SetFacilityCode(name + "-F1").SetSku(name + "-BIKE").
		SetAvailable(8).SetReportedAt(now).SetUpdatedAt(now).SaveX(ctx).ID
	t.channelLevel = w.rows.ChannelLevel.Create().SetMerchantID(t.merchant).SetStoreID(t.store).SetLocationID(t.location).SetLocationCode(name + "-L1").SetChannelSku(name + "-CH").
		SetSku(name + "-BIKE").SetListingID(t.listing).SetQuantity(7).SetStatus(enum.PushFailed).SetLastError(name + " error").SetUpdatedAt(now).SaveX(ctx).ID
	w.rows.ChannelLevel.Create().SetMerchantID(t.merchant).SetStoreID(t.store).SetChannelSku(name + "-SET").SetSku(name + "-SET").SetQuantity(3).SetStatus(enum.Pending).SetUpdatedAt(now).SaveX(ctx)
	t.run = w.rows.SyncRun.Create().SetMerchantID(t.merchant).SetConnectionID(t.connection).SetMode(enum.Smart).SetTrigger(enum.Manual).SetStatus(enum.Partial).SetStep(enum.Done).
		SetCreatedAt(now).SetStartedAt(now).SetFinishedAt(now.Add(time.Second)).SetError(name + " trouble").SetErrorCode("REFUSED").SetProblemCount(1).SaveX(ctx).ID
	w.rows.RunProblem.Create().SetMerchantID(t.merchant).SetRunID(t.run).SetKind(enum.RowProblem).SetReport(name + ".csv").SetLine(2).SetSku(name + "-BIKE").SetMessage(name + " message").SaveX(ctx)
	t.held = w.rows.HeldReport.Create().SetMerchantID(t.merchant).SetWarehouseID(t.files).SetRunID(t.run).SetName(name + "-held.csv").SetReason(name + " reason").SetLevels(2).SetCreatedAt(now).SaveX(ctx).ID
	t.catalogImport = w.rows.CatalogImport.Create().SetMerchantID(t.merchant).SetKind(enum.ImportProducts).SetFormat(enum.CSV).SetOnError(enum.SkipRows).SetDryRun(false).
		SetStatus(enum.ImportPartial).SetError(name + " trouble").SetCreatedAt(now).SetFinishedAt(now).SaveX(ctx).ID
	w.rows.ImportProblem.Create().SetMerchantID(t.merchant).SetCatalogImportID(t.catalogImport).SetLine(2).SetSku(name + "-BIKE").SetCode("INVALID").SetMessage(name + " message").SaveX(ctx)
	t.activity = w.rows.Activity.Create().SetMerchantID(t.merchant).SetAt(now).SetKind(enum.QuantityFailed).SetSku(name + "-BIKE").SetChannelSku(name + "-CH").SetWarehouseID(t.warehouse).
		SetFacilityID(t.facility).SetStoreID(t.store).SetLocationID(t.location).SetRunID(t.run).SetBefore(1).SetAfter(2).SetMessage(name + " words").SaveX(ctx).ID
	return t
}
