package csvreport

import (
	"errors"
	"strings"
	"testing"

	"stockbridge/internal/fault"
)

// wire.md: "any of them can be set per warehouse, or positions for files without header".
func TestColumnsAreCheckedBeforeAnyFile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		columns Columns
		faults  string // "field CODE" of each
	}{
		"defaults":            {Columns{}, ""},
		"names":               {Columns{SKU: "Artikel", OnHand: "Lager", Facility: "-"}, ""},
		"positions":           {Columns{SKU: "2", Available: "3", RecordType: "IN"}, ""},
		"on hand only":        {Columns{SKU: "1", OnHand: "1000", Committed: "-"}, ""},
		"mixed":               {Columns{SKU: "1", Available: "qty"}, "columns.available INVALID"},
		"position 0":          {Columns{SKU: "0", Available: "2"}, "columns.sku OUT_OF_RANGE"},
		"position too far":    {Columns{SKU: "1", Available: "1001"}, "columns.available OUT_OF_RANGE"},
		"position astronomic": {Columns{SKU: "1", Available: "99999999999999999999"}, "columns.available OUT_OF_RANGE"},
		"same position":       {Columns{SKU: "1", Available: "01"}, "columns.available TAKEN"},
		"same name":           {Columns{SKU: "Item No", Available: "item_no"}, "columns.available TAKEN"},
		"record type's place": {Columns{SKU: "1", Available: "2", RecordType: "IN"}, "columns.sku TAKEN"},
		"no SKU position":     {Columns{Available: "2"}, "columns.sku INVALID"},
		"no quantity":         {Columns{SKU: "1", Committed: "2"}, "columns.available INVALID"},
		"quantities left out": {Columns{Available: "-", OnHand: "-"}, "columns.available INVALID"},
		"SKU left out":        {Columns{SKU: "-"}, "columns.sku INVALID"},
		"name of nothing":     {Columns{Facility: "_ -"}, "columns.facility INVALID"},
		"several":             {Columns{SKU: "-", Available: "x", OnHand: "X"}, "columns.onHand TAKEN, columns.sku INVALID"},
	} {
		var got []string
		var list fault.List
		if err := tt.columns.Validate(); errors.As(err, &list) {
			for _, e := range list {
				got = append(got, strings.Join(e.Field, ".")+" "+string(e.Code))
			}
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Join(got, ", ") != tt.faults {
			t.Errorf("%s: got %q, want %q", name, got, tt.faults)
		}
	}
}
