package pipeline_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

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
	pipe := pipeline.New(pipeline.Config{DB: db, Source: p.Source, Sink: p.Sink, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Syncs: 8, Version: "test"})
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

// process is another replica in a process of its own.
type process struct {
	*exec.Cmd
	leave io.Closer     // has it stop by itself
	ended chan struct{} // closed once it has
	err   error         // how; read it when it has ended

	mu    sync.Mutex // guards what follows
	log   strings.Builder
	wrote chan struct{} // closed when more is logged
}

// spawn starts another replica, and returns once it has joined. It ends with the test.
func (h *house) spawn(url string) *process {
	h.t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), wrote: make(chan struct{})} //nolint:gosec // this test binary
	p.Env = append(os.Environ(), replicaDatabase+"="+url, replicaRoot+"="+h.root)
	p.Stderr = p
	in, err1 := p.StdinPipe()
	out, err2 := p.StdoutPipe()
	if err := errors.Join(err1, err2, p.Start()); err != nil {
		h.t.Fatal(err)
	}
	p.leave = in
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() { p.err = p.Wait(); close(p.ended) }()
	h.t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		<-p.ended
	})
	if err != nil || line != "joined\n" {
		h.t.Fatalf("%q %v\n%s", line, err, p.logged())
	}
	return p
}

// Write takes what the process logs.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.wrote)
	p.wrote = make(chan struct{})
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// says waits until the process has logged some words so many times.
func (p *process) says(t *testing.T, words string, times int) {
	t.Helper()
	for {
		p.mu.Lock()
		wrote := p.wrote
		p.mu.Unlock()
		if strings.Count(p.logged(), words) >= times {
			return
		}
		select {
		case <-wrote:
		case <-p.ended:
			t.Fatalf("it ended without %q: %v\n%s", words, p.err, p.logged())
		}
	}
}
