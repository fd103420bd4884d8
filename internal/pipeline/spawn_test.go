package pipeline_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"

	"stockbridge/internal/database"
	"stockbridge/internal/pipeline"
)

// Names of what TestMain runs a replica by, in a process of its own that can be killed.
const (
	replicaDatabase = "STOCKBRIDGE_TEST_REPLICA_DATABASE"
	replicaRoot     = "STOCKBRIDGE_TEST_REPLICA_ROOT"
)

// replicate works as a replica until its standard input ends.
func replicate(url string) error {
	ctx := context.Background()
	db, err := database.Open(ctx, url, database.Options{})
	if err != nil {
		return err
	}
	p := platforms(db, os.Getenv(replicaRoot))
	pipe := pipeline.New(pipeline.Config{DB: db, Source: p.Source, Sink: p.Sink, Log: slog.New(slog.DiscardHandler), Syncs: 8, Version: "test"})
	if err := pipe.Recover(ctx); err != nil {
		return err
	}
	fmt.Println("joined")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	pipe.Close(ctx)
	return db.Close()
}

// spawn starts another replica in a process of its own, and returns once it has joined. It ends with the test.
func (h *house) spawn(url string) (child *exec.Cmd, ended func() error, leave io.Closer) {
	h.t.Helper()
	child = exec.Command(os.Args[0]) //nolint:gosec // this test binary
	child.Env = append(os.Environ(), replicaDatabase+"="+url, replicaRoot+"="+h.root)
	var words bytes.Buffer
	child.Stderr = &words
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		h.t.Fatal(err)
	}
	ended = sync.OnceValue(child.Wait)
	h.t.Cleanup(func() {
		_ = child.Process.Kill() // it may have ended
		_ = ended()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "joined\n" {
		h.t.Fatalf("%q %v\n%s", line, err, words.String())
	}
	return child, ended, in
}
