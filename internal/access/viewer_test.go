package access

import (
	"testing"
	"time"

	"stockbridge/internal/fault"
)

// spec 5.2
func TestRolesSeeAndWrite(t *testing.T) {
	t.Parallel()
	own := []int64{3, 7, 20}
	tests := []struct {
		name        string
		viewer      *Viewer
		merchant    int64
		sees, write bool
	}{
		{"nobody", nil, 3, false, false},
		{"admin, of any", &Viewer{Role: Admin}, 3, true, true},
		{"operator, of its own", &Viewer{Role: Operator, MerchantIDs: own}, 7, true, true},
		{"operator, of another", &Viewer{Role: Operator, MerchantIDs: own}, 8, false, false},
		{"operator of none", &Viewer{Role: Operator}, 3, false, false},
		{"partner, of its own", &Viewer{Role: Partner, MerchantIDs: own}, 20, true, false},
		{"partner, of another", &Viewer{Role: Partner, MerchantIDs: own}, 21, false, false},
		{"no role", &Viewer{MerchantIDs: own}, 3, false, false},
		{"a role of tomorrow", &Viewer{Role: "AUDITOR", MerchantIDs: own}, 3, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if sees, write := tt.viewer.Sees(tt.merchant), tt.viewer.CanWrite(tt.merchant); sees != tt.sees || write != tt.write {
				t.Errorf("sees %v, writes %v; want %v, %v", sees, write, tt.sees, tt.write)
			}
		})
	}
}

func TestViewerExpires(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 6, 5, 0, 0, 0, 0, time.UTC)
	v := &Viewer{ExpiresAt: end}
	if v.Expired(end.Add(-1)) || !v.Expired(end) || (&Viewer{}).Expired(end) {
		t.Error("a viewer expires at ExpiresAt, and never when that is zero")
	}
}

// spec 5.3: nothing but health checks is open.
func TestNobodyIsUnauthenticated(t *testing.T) {
	t.Parallel()
	for _, ctx := range []func() (*Viewer, error){
		func() (*Viewer, error) { return From(t.Context()) },
		func() (*Viewer, error) { return From(With(t.Context(), nil)) },
	} {
		if v, err := ctx(); v != nil || fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("got %v, %v", v, err)
		}
	}
	want := &Viewer{Name: "SPA"}
	if v, err := From(With(t.Context(), want)); v != want || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}
