package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The README's page from nothing to a live subscription does what it says, command by command.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?sm)^```sh( [a-z]+)?\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := func(out io.Writer, args ...string) (stdin io.Writer) {
		cmd := exec.CommandContext(ctx, "bash", append([]string{"-eu"}, args...)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
		// The program is this test binary, at an address that is free.
		cmd.Env = append(os.Environ(), "STOCKBRIDGE_BE_THE_PROGRAM=1", "STOCKBRIDGE_LISTEN="+address)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 10 * time.Second
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cancel(); _ = cmd.Wait() }) // they are told to end
		return in
	}
	var said, served, followed output
	typed := shell(&said, "-s")
	for n, block := range blocks {
		commands := strings.ReplaceAll(block[2], "127.0.0.1:8080", address)
		switch block[1] {
		case " serve":
			shell(&served, "-c", "exec "+commands)
			_, err = served.await(ctx, `(Stockbridge serves)`)
		case " follow":
			shell(&followed, "-c", "exec "+commands)
			_, err = followed.await(ctx, `(:)`)
		default:
			built := "mkdir -p bin; ln -sf '" + self + "' bin/stockbridge\n"
			commands = strings.ReplaceAll(commands, "go build -o bin/stockbridge ./cmd/stockbridge\n", built)
			if _, err = fmt.Fprintf(typed, "%s\necho block %d is done\n", commands, n); err == nil {
				_, err = said.await(ctx, fmt.Sprintf(`(block %d is done)`, n))
			}
		}
		if err != nil {
			t.Fatalf("%v\n%s%s", err, &said, &served)
		}
	}
	if strings.Contains(said.String(), `"message"`) || strings.Contains(said.String(), "null") {
		t.Errorf("something failed:\n%s", &said)
	}
	for _, sku := range []string{"HELMET", "BELL"} {
		if _, err := followed.await(ctx, `("CHANNEL_LEVEL_PUSHED","sku":"`+sku+`")`); err != nil {
			t.Errorf("%v\n%s%s", err, &said, &served)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "exchange/store/in/inv_*.csv")); err != nil || len(files) != 1 {
		t.Errorf("files for the store: %v %v", files, err)
	}
}
