package shopify

import (
	"cmp"
	"errors"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// refused is the outcome of a level that we do not send, or that Shopify refuses.
func refused(code, words string) channel.Outcome {
	return channel.Outcome{Verdict: channel.Refused, Code: code, Message: outbound.Excerpt([]byte(words))}
}

// refusal is the outcome that an error makes, Refused: Shopify's code and words where it gave any, with what to do.
func (s *Store) refusal(err error) channel.Outcome {
	code, words := string(fault.CodeOf(err)), fault.Message(err)
	if f := (*failure)(nil); errors.As(err, &f) {
		code, words = cmp.Or(s.peer.Hide(f.code), code), cmp.Or(f.words, words)
		if advice := advice(f.code); advice != "" {
			words += " (" + advice + ")"
		}
	}
	if code == "" { // the context's error
		return channel.Outcome{Verdict: channel.Refused, Message: "canceled before the store answered"}
	}
	return refused(code, words)
}

// advice is what a code of Shopify's means for who reads it: InventorySetQuantitiesUserErrorCode of API 2026-10, and
// ITEM_NOT_STOCKED_AT_LOCATION, which versions before have too.
func advice(code string) string {
	switch code {
	case "INVALID_INVENTORY_ITEM":
		return "the variant was deleted: create it again or take the listing out"
	case "INVALID_LOCATION":
		return "the location was deleted or deactivated: set locationId, or the location link, to one that is there"
	case "ITEM_NOT_STOCKED_AT_LOCATION":
		return "stock the item at the location in Shopify, or set activate"
	case "NON_MUTABLE_INVENTORY_ITEM":
		return "Shopify counts this item itself, as it does a bundle's: take the listing out"
	case "INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_LOW", "INVALID_QUANTITY_TOO_HIGH":
		return "Shopify takes 0 to 1,000,000,000"
	case "CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE":
		return "the stock was changed at the same time: the next sync sets it"
	case "COMPARE_QUANTITY_REQUIRED", "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT":
		return "the API version does not take what Stockbridge sends: set apiVersion to 2026-10"
	case "IDEMPOTENCY_CONCURRENT_REQUEST":
		return "an attempt before is still under way: the next sync sets it"
	case "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED":
		return "Shopify lost track of the attempts: the next sync sets it"
	case "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR":
		return "two listings lead to one item at one location"
	}
	return ""
}
