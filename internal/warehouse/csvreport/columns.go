package csvreport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/csvread"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// Columns says where in a file each part of a level stands (wire.md, "File exchange warehouse"). Each is the name of a header
// column, matched without case, spaces, "_" and "-"; "" for the default names; or "-" for none, whatever the header says.
// For a file without header they are positions counted from 1 instead, and those left empty are not read.
type Columns struct {
	SKU       string `json:"sku,omitempty"`       // default sku, item, itemsku
	Available string `json:"available,omitempty"` // default available, quantity, qty, availablequantity
	OnHand    string `json:"onHand,omitempty"`    // default onhand, quantityonhand
	Committed string `json:"committed,omitempty"` // default committed, allocated
	Facility  string `json:"facility,omitempty"`  // default facility, facilityid, warehouse, location
	UpdatedAt string `json:"updatedAt,omitempty"` // default updatedat
	// RecordType is what the first cell of a row must say ("IN") in files that tell kinds of rows apart by it; rows that
	// say something else are passed over. It counts as position 1. Empty: every row counts.
	RecordType string `json:"recordType,omitempty"`
}

// The parts of a level, as indices.
const (
	sku = iota
	available
	onHand
	committed
	facility
	updatedAt
	parts
)

const (
	none        = "-"
	maxPosition = 1000
)

// partNames are the names of the parts in a Columns setting.
var partNames = [parts]string{"sku", "available", "onHand", "committed", "facility", "updatedAt"}

// defaultNames are the header columns that stand for a part when no setting says otherwise, reduced (wire.md).
var defaultNames = [parts][]string{
	{"sku", "item", "itemsku"}, {"available", "quantity", "qty", "availablequantity"}, {"onhand", "quantityonhand"},
	{"committed", "allocated"}, {"facility", "facilityid", "warehouse", "location"}, {"updatedat"},
}

func (c Columns) settings() [parts]string {
	set := [parts]string{c.SKU, c.Available, c.OnHand, c.Committed, c.Facility, c.UpdatedAt}
	for i, s := range set {
		set[i] = strings.TrimSpace(s)
	}
	return set
}

// headerless tells whether the columns are positions.
func (c Columns) headerless() bool {
	set := c.settings()
	return slices.ContainsFunc(set[:], func(s string) bool { return position(s) >= 0 })
}

// position returns the position s is, or -1 when s is no number.
func position(s string) int {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return -1
	}
	if n, err := strconv.Atoi(s); err == nil && n <= maxPosition {
		return n
	}
	return maxPosition + 1
}

// Validate checks the setting without a file. Faults are INVALID, OUT_OF_RANGE or TAKEN at fields "columns.sku" and so on.
func (c Columns) Validate() error {
	var faults fault.List
	set, headerless := c.settings(), c.headerless()
	taken := map[string]string{}
	if headerless && strings.TrimSpace(c.RecordType) != "" {
		taken["1"] = "recordType"
	}
	for i, s := range set {
		if s == "" || s == none {
			continue
		}
		field := "columns." + partNames[i]
		key, pos := csvread.Reduce(s), position(s)
		switch {
		case headerless && pos < 0:
			faults = append(faults, fault.At(field, fault.Invalid, "%s is a name while another column is a position: give names for a file with a header, positions for one without", warehouse.Excerpt(s)))
			continue
		case headerless && (pos == 0 || pos > maxPosition):
			faults = append(faults, fault.At(field, fault.OutOfRange, "position %s is out of range: positions count from 1 to %d", s, maxPosition))
			continue
		case headerless:
			key = strconv.Itoa(pos)
		case key == "":
			faults = append(faults, fault.At(field, fault.Invalid, "%s is no column name: spaces, _ and - are not counted", warehouse.Excerpt(s)))
			continue
		}
		if by, ok := taken[key]; ok {
			faults = append(faults, fault.At(field, fault.Taken, "column %s is taken by columns.%s already: a column holds one thing", warehouse.Excerpt(s), by))
		}
		taken[key] = partNames[i]
	}
	missing := func(s string) bool { return s == none || s == "" && headerless }
	if missing(set[sku]) {
		faults = append(faults, fault.At("columns.sku", fault.Invalid, "the SKU column is missing: name it, or give its position"))
	}
	if missing(set[available]) && missing(set[onHand]) {
		faults = append(faults, fault.At("columns.available", fault.Invalid, "there is no quantity column: set available, onHand or both"))
	}
	return faults.Or()
}

// layout is where the parts stand in the rows of one file.
type layout struct {
	at         [parts]int // index of the cell, -1 for none
	recordType string
	reach      int // cells a row needs for all parts
	width      int // cells every row has; 0 until the first row of a headerless file tells
}

// positions returns the layout of a file without header; c is valid.
func (c Columns) positions() *layout {
	l := &layout{recordType: strings.TrimSpace(c.RecordType)}
	for i, s := range c.settings() {
		l.put(i, max(position(s), 0)-1)
	}
	return l
}

func (l *layout) put(part, index int) {
	l.at[part] = index
	l.reach = max(l.reach, index+1)
}

// header finds the parts in a header row on the given line. What it cannot use, or would have to guess, is BAD_REPORT.
func (c Columns) header(line int, cells []string) (*layout, error) {
	names := make([]string, len(cells))
	width := 0
	for i, cell := range cells {
		if names[i] = csvread.Reduce(cell); names[i] != "" {
			width = i + 1
		}
	}
	bad := func(format string, args ...any) error {
		return fault.New(fault.BadReport, "no usable header on line %d: %s; it has %s", line, fmt.Sprintf(format, args...), list(cells[:width]))
	}
	l := &layout{recordType: strings.TrimSpace(c.RecordType), width: width}
	claimed := make([]bool, len(cells)) // by a setting, which goes before default names
	find := func(part int, wanted ...string) error {
		index := -1
		for i, name := range names {
			if name == "" || claimed[i] || !slices.Contains(wanted, name) {
				continue
			}
			if index >= 0 {
				return bad("columns %d and %d, %s and %s, could both be %s: rename one, or name the right one in columns.%s", index+1, i+1,
					warehouse.Excerpt(cells[index]), warehouse.Excerpt(cells[i]), partNames[part], partNames[part])
			}
			index = i
		}
		l.put(part, index)
		return nil
	}
	set := c.settings()
	for part, s := range set {
		l.put(part, -1)
		if s == "" || s == none {
			continue
		}
		if err := find(part, csvread.Reduce(s)); err != nil {
			return nil, err
		}
		if l.at[part] < 0 {
			return nil, bad("the column %s that columns.%s names is not there", warehouse.Excerpt(s), partNames[part])
		}
	}
	for _, i := range l.at {
		if i >= 0 {
			claimed[i] = true
		}
	}
	for part, s := range set {
		if s != "" {
			continue
		}
		if err := find(part, defaultNames[part]...); err != nil {
			return nil, err
		}
	}
	switch {
	case l.at[sku] < 0:
		return nil, bad("no SKU column (%s): rename one, name it in columns.sku, or give positions if the file has no header", strings.Join(defaultNames[sku], ", "))
	case l.at[available] < 0 && l.at[onHand] < 0:
		return nil, bad("no quantity column (%s, %s): rename one, or name it in columns.available or columns.onHand",
			strings.Join(defaultNames[available], ", "), strings.Join(defaultNames[onHand], ", "))
	}
	return l, nil
}

// list quotes column names for a message, twenty at most.
func list(cells []string) string {
	if len(cells) == 0 {
		return "no columns"
	}
	quoted := make([]string, min(len(cells), 20))
	for i := range quoted {
		quoted[i] = warehouse.Excerpt(cells[i])
	}
	if more := len(cells) - len(quoted); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), more)
	}
	return strings.Join(quoted, ", ")
}
