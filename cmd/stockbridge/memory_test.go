package main

import (
	"errors"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The collector may let garbage lie where a limit holds, and what the environment says stands.
func TestCollector(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	none := func() (uint64, error) { return 0, errors.New("not here") }
	for name, tc := range map[string]struct {
		environ            map[string]string
		container, machine memlimit.Provider
		want               collector
	}{
		"in a container":              {nil, memlimit.Limit(10 * 100 << 20), memlimit.Limit(16 * gib), collector{400, 9 * 100 << 20}},
		"a container without a bound": {nil, memlimit.Limit(1 << 62), memlimit.Limit(16 * gib), collector{400, 8 * gib}},
		"on a machine":                {nil, none, memlimit.Limit(16 * gib), collector{400, 8 * gib}},
		"the machine does not tell":   {nil, memlimit.Limit(10 * 100 << 20), none, collector{400, 9 * 100 << 20}},
		"neither tells":               {nil, none, none, collector{}},
		"tells nothing":               {nil, memlimit.Limit(0), memlimit.Limit(0), collector{}},
		"GOMEMLIMIT":                  {map[string]string{"GOMEMLIMIT": "1GiB"}, memlimit.Limit(gib), memlimit.Limit(gib), collector{percent: 400}},
		"GOGC":                        {map[string]string{"GOGC": "100"}, memlimit.Limit(gib), memlimit.Limit(gib), collector{}},
		"GOGC, GOMEMLIMIT":            {map[string]string{"GOGC": "off", "GOMEMLIMIT": "1GiB"}, memlimit.Limit(gib), memlimit.Limit(gib), collector{}},
		"GOMEMLIMIT is off":           {map[string]string{"GOMEMLIMIT": "off"}, memlimit.Limit(10 * 100 << 20), none, collector{}},
		"GOMEMLIMIT is empty":         {map[string]string{"GOMEMLIMIT": ""}, memlimit.Limit(10 * 100 << 20), none, collector{400, 9 * 100 << 20}},
		"GOGC is empty":               {map[string]string{"GOGC": ""}, memlimit.Limit(10 * 100 << 20), none, collector{400, 9 * 100 << 20}},
	} {
		lookup := func(name string) (string, bool) { v, ok := tc.environ[name]; return v, ok }
		if got := collectorFor(lookup, tc.container, tc.machine); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
