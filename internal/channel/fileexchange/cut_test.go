package fileexchange

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/exchange"
	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// wired is a store behind a wire that can be cut. heal is called at every wait before another attempt.
func wired(t *testing.T, scheme string, heal func(*proftpd.Wire)) (*Store, *proftpd.Wire, string) {
	t.Helper()
	dir := t.TempDir()
	// ProFTPD overwrites nothing unless told to: what an attempt left behind must be cleared away.
	server, wire := proftpd.StartBehindWire(t, dir, "AllowOverwrite off")
	cfg := exchange.Config{URL: server.URL(scheme, dir), Password: proftpd.Password, Network: inside}
	switch scheme {
	case "sftp":
		cfg.HostKey = server.HostKey
	case "ftps":
		cfg.HostKey = server.Certificate
	}
	c := clock
	c.Sleep = func(context.Context, time.Duration) error { heal(wire); return nil }
	s, err := New(cfg, outbound.Retry{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, wire, dir
}

func many(n int) (levels []channel.Level, file string) {
	var b strings.Builder
	b.WriteString("sku,location,quantity\n")
	for i := range n {
		sku := fmt.Sprintf("SKU-%010d", i)
		levels = append(levels, channel.Level{SKU: sku, Location: "EAST", Quantity: int64(i)})
		fmt.Fprintf(&b, "%s,EAST,%d\n", sku, i)
	}
	return levels, b.String()
}

// spec 6: "resets: retried". An upload that is cut in the middle is begun anew, and the file is there once and whole.
func TestUploadThatIsCutOffIsBegunAnew(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"sftp", "ftp", "ftps"} {
		for how, harm := range map[string]func(*proftpd.Wire){
			"cut":   func(w *proftpd.Wire) { w.Cut(proftpd.Upload, 300_000) },
			"reset": func(w *proftpd.Wire) { w.Reset(proftpd.Upload) },
		} {
			t.Run(scheme+" "+how, func(t *testing.T) {
				t.Parallel()
				waits := 0
				s, wire, dir := wired(t, scheme, func(w *proftpd.Wire) {
					if waits++; waits == 2 {
						w.Heal()
					}
				})
				if how == "cut" { // SFTP signs in over the connection that is reset
					if _, err := s.Test(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				harm(wire)
				levels, want := many(maxBatch)
				push(t, s, "r", levels...)
				if waits != 2 {
					t.Errorf("%d waits", waits)
				}
				holds(t, filepath.Join(dir, "in/inv_r_20261101T123005.000Z.csv"), want)
				if list, err := os.ReadDir(filepath.Join(dir, "in")); err != nil || len(list) != 1 {
					t.Errorf("in holds %v, %v", list, err)
				}
			})
		}
	}
}

// A cut that lasts: nothing is told as pushed, and no half file stands under the final name.
func TestUploadThatNeverEndsLeavesNoHalfFile(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"sftp", "ftp", "ftps"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s, wire, dir := wired(t, scheme, func(*proftpd.Wire) {})
			wire.Cut(proftpd.Upload, 300_000)
			levels, _ := many(maxBatch)
			outcomes, err := s.Push(t.Context(), channel.Batch{Run: "r", Levels: levels})
			if fault.CodeOf(err) != fault.Unreachable || outcomes[0].Verdict != channel.Unknown {
				t.Errorf("%+v, %v", outcomes[0], err)
			}
			list, err := os.ReadDir(filepath.Join(dir, "in"))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				if !strings.HasSuffix(e.Name(), ".tmp") {
					t.Errorf("in holds %s", e.Name())
				}
			}
			wire.Heal()
			push(t, s, "r", channel.Level{SKU: "A", Quantity: 1})
			holds(t, filepath.Join(dir, "in/inv_r_20261101T123005.001Z.csv"), "sku,location,quantity\nA,,1\n")
		})
	}
}
