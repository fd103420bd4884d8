package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"

	"stockbridge/internal/demo"
)

type demoCommand struct {
	Listen string        `help:"The address to serve on." default:"127.0.0.1:0" placeholder:"HOST:PORT"`
	Once   bool          `help:"Run one Full and one Smart Sync, tell what every store was told, and end."`
	Every  time.Duration `help:"How often the simulated warehouse reports." default:"3s"`
}

// Run shows a server of its own at work, in a directory that is gone afterwards.
func (c *demoCommand) Run(i *invocation) (err error) {
	dir, err := os.MkdirTemp("", "stockbridge-demo")
	if err != nil {
		return fmt.Errorf("make a directory for the demonstration: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	files := filepath.Join(dir, "warehouse")
	if err := os.Mkdir(files, 0o700); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(i)
	defer cancel()
	cli := *i.cli
	cli.Database = "sqlite://" + filepath.Join(dir, "stockbridge.db")
	if cli.LogLevel == "info" { // the demonstration tells what happens by itself
		cli.LogLevel = "warn"
	}
	serving := &invocation{Context: ctx, cli: &cli, stdout: i.stdout, stderr: i.stderr}
	if serving.log, err = cli.logger(i.stderr); err != nil {
		return err
	}
	serve := serveCommand{Listen: c.Listen, MaxSyncs: 16, SmartFloor: 5 * time.Minute, StopGrace: time.Second, outside: outside{FileRoot: []string{files}, AllowPrivateEndpoints: true}}

	type place struct{ url, token string }
	ready, served := make(chan place, 1), make(chan error, 1)
	go func() { served <- serve.serve(serving, func(url, made string) { ready <- place{url, made} }) }()
	select {
	case err := <-served:
		return err
	case at := <-ready:
		out, isFile := i.stdout.(*os.File)
		cfg := demo.Config{URL: at.url, Token: at.token, Dir: files, Out: i.stdout, Every: c.Every, Terminal: isFile && isatty.IsTerminal(out.Fd())}
		show := demo.Live
		if c.Once {
			show = demo.Once
		}
		err = show(ctx, cfg)
		cancel()
		return errors.Join(err, <-served)
	}
}
