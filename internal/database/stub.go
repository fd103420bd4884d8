package database

import (
	"context"
	"encoding/json"
	"errors"

	"stockbridge/ent"
)

var errSoon = errors.New("not written yet")

func (db *DB) CreateMerchant(ctx context.Context, in CreateMerchant) (*ent.Merchant, error) {
	return nil, errSoon
}
func (db *DB) UpdateMerchant(ctx context.Context, id int64, in UpdateMerchant) (*ent.Merchant, error) {
	return nil, errSoon
}
func (db *DB) DeleteMerchant(ctx context.Context, id int64) error { return errSoon }

func (db *DB) CreateWarehouse(ctx context.Context, in CreateWarehouse) (*ent.Warehouse, error) {
	return nil, errSoon
}
func (db *DB) UpdateWarehouse(ctx context.Context, merchantID, id int64, in UpdateWarehouse) (*ent.Warehouse, error) {
	return nil, errSoon
}
func (db *DB) DeleteWarehouse(ctx context.Context, merchantID, id int64) error { return errSoon }
func (db *DB) SetWarehouseSettings(ctx context.Context, merchantID, id, version int64, settings json.RawMessage) error {
	return errSoon
}

func (db *DB) CreateStore(ctx context.Context, in CreateStore) (*ent.Store, error) {
	return nil, errSoon
}
func (db *DB) UpdateStore(ctx context.Context, merchantID, id int64, in UpdateStore) (*ent.Store, error) {
	return nil, errSoon
}
func (db *DB) DeleteStore(ctx context.Context, merchantID, id int64) error { return errSoon }
func (db *DB) SetStoreSettings(ctx context.Context, merchantID, id, version int64, settings json.RawMessage) error {
	return errSoon
}
func (db *DB) SetStoreLimits(ctx context.Context, merchantID, storeID int64, in SetStoreLimits) (*ent.Store, error) {
	return nil, errSoon
}

func (db *DB) CreateConnection(ctx context.Context, in CreateConnection) (*ent.Connection, error) {
	return nil, errSoon
}
func (db *DB) UpdateConnection(ctx context.Context, merchantID, id int64, in UpdateConnection) (*ent.Connection, error) {
	return nil, errSoon
}
func (db *DB) DeleteConnection(ctx context.Context, merchantID, id int64) error { return errSoon }
func (db *DB) EnableConnection(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return nil, false, errSoon
}
func (db *DB) DisableConnection(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return nil, false, errSoon
}
func (db *DB) EnableInventory(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return nil, false, errSoon
}
func (db *DB) DisableInventory(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return nil, false, errSoon
}
func (db *DB) SetLocationLinks(ctx context.Context, merchantID, connectionID int64, in SetLocationLinks) (*ent.Connection, error) {
	return nil, errSoon
}
func (db *DB) SetSchedule(ctx context.Context, merchantID, connectionID int64, in SetSchedule) (*ent.Schedule, error) {
	return nil, errSoon
}

func (db *DB) CreateProduct(ctx context.Context, in CreateProduct) (*ent.Product, error) {
	return nil, errSoon
}
func (db *DB) UpdateProduct(ctx context.Context, merchantID, id int64, in UpdateProduct) (*ent.Product, error) {
	return nil, errSoon
}
func (db *DB) DeleteProduct(ctx context.Context, merchantID, id int64) error { return errSoon }

func (db *DB) CreateListing(ctx context.Context, in CreateListing) (*ent.Listing, error) {
	return nil, errSoon
}
func (db *DB) UpdateListing(ctx context.Context, merchantID, id int64, in UpdateListing) (*ent.Listing, error) {
	return nil, errSoon
}
func (db *DB) DeleteListing(ctx context.Context, merchantID, id int64) error { return errSoon }

func (db *DB) CreatePartitionStrategy(ctx context.Context, in CreatePartitionStrategy) (*ent.PartitionStrategy, error) {
	return nil, errSoon
}
func (db *DB) UpdatePartitionStrategy(ctx context.Context, merchantID, id int64, in UpdatePartitionStrategy) (*ent.PartitionStrategy, error) {
	return nil, errSoon
}
func (db *DB) DeletePartitionStrategy(ctx context.Context, merchantID, id int64) error {
	return errSoon
}

func (db *DB) CreateToken(ctx context.Context, in CreateToken) (*ent.Token, error) {
	return nil, errSoon
}
func (db *DB) RevokeToken(ctx context.Context, id int64) (*ent.Token, error)    { return nil, errSoon }
func (db *DB) TokenByHash(ctx context.Context, hash []byte) (*ent.Token, error) { return nil, errSoon }
func (db *DB) TouchToken(ctx context.Context, token *ent.Token) error           { return errSoon }
func (db *DB) EnsureAdminToken(ctx context.Context, hash []byte, hint string) (added bool, err error) {
	return false, errSoon
}
func (db *DB) FirstAdminToken(ctx context.Context, hash []byte, hint string) (added bool, err error) {
	return false, errSoon
}
