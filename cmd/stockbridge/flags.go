package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"
)

// commandLine is all that can be said on it (spec 5.5).
type commandLine struct {
	Database  string `help:"Where the data is: sqlite://FILE, or postgres://USER:PASSWORD@HOST/NAME." default:"sqlite://stockbridge.db" placeholder:"URL"`
	LogFormat string `help:"How the log is written: text or json." enum:"text,json" default:"text"`
	LogLevel  string `help:"From which level on: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`

	Serve   serveCommand   `cmd:"" help:"Serve the API and sync on schedule, until stopped."`
	Demo    demoCommand    `cmd:"" help:"Show it at work: a simulated warehouse, three stores and live inventory, in a temporary directory."`
	Migrate migrateCommand `cmd:"" help:"Bring the database to the schema of this version. serve does so by itself."`
	Sync    syncCommand    `cmd:"" help:"Run one sync of a connection here and now."`
	Import  importCommand  `cmd:"" help:"Bring a file of products, bundle components or listings in."`
	Export  exportCommand  `cmd:"" help:"Write a merchant's products, bundle components, listings or levels as a file."`
	Token   tokenCommand   `cmd:"" help:"Make, list and revoke the tokens that let people and programs in."`
	Version versionCommand `cmd:"" help:"Tell which version this is."`
}

// outside are the flags of commands that reach warehouses and stores.
type outside struct {
	SecretKey             string   `help:"The key that stored credentials are encrypted with: 64 hexadecimal digits, or a passphrase. Left out with SQLite: the file stockbridge.key beside the database, which is made if it is missing." placeholder:"KEY"`
	FileRoot              []string `help:"A directory that file:// warehouses and stores may use, with all below it. Can be given several times." type:"path" placeholder:"DIR"`
	AllowPrivateEndpoints bool     `help:"Let warehouses and stores live on private, loopback and link-local addresses. Leave it off when you host merchants you do not trust."`
}

// invocation is one run of a command.
type invocation struct {
	context.Context
	cli            *commandLine
	log            *slog.Logger
	stdout, stderr io.Writer
}

// say answers on stdout.
func (i *invocation) say(format string, args ...any) {
	_, _ = fmt.Fprintf(i.stdout, format+"\n", args...) // where nobody listens there is nobody to tell
}

type runnable interface{ Run(*invocation) error }

// parse reads a command line. The command is nil when help was asked for and given.
func parse(args []string, stdout, stderr io.Writer, environ []string) (*commandLine, runnable, error) {
	cli, helped := &commandLine{}, false
	parser, err := kong.New(cli, kong.Name("stockbridge"),
		kong.Description("Stockbridge carries inventory from warehouses to stores. Every flag can be given as an environment variable too."),
		kong.Writers(stdout, stderr), kong.Exit(func(int) { helped = true }), kong.Resolvers(fromEnvironment(environ)), kong.ValueFormatter(help))
	if err != nil {
		return nil, nil, fmt.Errorf("describe the command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	if helped {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%w; see stockbridge --help", err)}
	}
	command, ok := parsed.Selected().Target.Addr().Interface().(runnable)
	if !ok {
		return nil, nil, fmt.Errorf("command %q does nothing", parsed.Command())
	}
	return cli, command, nil
}

// variable is the environment variable of a flag: --log-format is STOCKBRIDGE_LOG_FORMAT.
func variable(flag string) string {
	return "STOCKBRIDGE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment gives flags that are not on the command line. An empty variable is none.
func fromEnvironment(environ []string) kong.ResolverFunc {
	set := make(map[string]string)
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); value != "" {
			set[name] = value
		}
	}
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, ok := set[variable(flag.Name)]; ok && flag.Name != "help" {
			return value, nil
		}
		return nil, nil
	}
}

// help says which variable stands for a flag.
func help(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" {
		return v.Help
	}
	return v.Help + " ($" + variable(v.Name) + ")"
}

func (c *commandLine) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, usageError{err}
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}
