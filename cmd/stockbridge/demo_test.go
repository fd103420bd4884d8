package main

import (
	"context"
	"os"
	"strings"
	"testing"
)

// The demonstration checks by itself that every store shows what the rules say (spec 4.3 to 4.8).
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	out, log, err := run(t, nil, "demo", "--once")
	for _, want := range []string{"Full Sync.", "MKT-4711", "BIKE-SET", "Smart Sync.", "Every store shows what the rules say."} {
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v, want %q in\n%s\n%s", err, want, out, log)
		}
	}
}

// Stopped in the middle, it ends at once and leaves nothing behind.
func TestDemoStops(t *testing.T) { // not in parallel: it sets where temporary files go
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, log output
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, []string{"demo"}, &out, &log, nil) }()
	if _, err := out.await(ctx, `(Web shop shows BIKE-SET)`); err != nil {
		t.Fatal(err, log.String())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("%v\n%s", err, &log)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
