// Command stockbridge carries inventory from warehouses to stores.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of schedules, also where the system has none
)

func main() {
	setCollector()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := Run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "stockbridge:", err)
	}
	os.Exit(exitCode(err))
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode is 0 for success, 2 for a command line that makes no sense, and else 1.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

// Run runs one command line until it is done or ctx ends, and has cleaned up when it returns. environ holds NAME=value.
// What a command answers goes to stdout, the log to stderr.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, environ []string) error {
	cli, command, err := parse(args, stdout, stderr, environ)
	if err != nil || command == nil {
		return err
	}
	log, err := cli.logger(stderr)
	if err != nil {
		return err
	}
	return command.Run(&invocation{Context: ctx, cli: cli, log: log, stdout: stdout, stderr: stderr})
}
