package model

// InventoryItem is a SKU of a merchant.
type InventoryItem struct {
	SKU        string
	MerchantID int64
}
