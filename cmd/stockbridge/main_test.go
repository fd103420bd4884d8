package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("STOCKBRIDGE_BE_THE_PROGRAM") == "1" { // the README's commands are run with the test binary
		main()
	}
	dbtest.Main(m)
}

// output is what a command writes; it can be read while the command runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed by the next Write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await returns the first submatch of a pattern as soon as the output has it.
func (o *output) await(ctx context.Context, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	for {
		o.mu.Lock()
		found := re.FindSubmatch(o.text.Bytes())
		if o.more == nil {
			o.more = make(chan struct{})
		}
		more := o.more
		o.mu.Unlock()
		if found != nil {
			return string(found[1]), nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), errors.New("the output lacks "+pattern+":\n"+o.String()))
		}
	}
}

// run runs a command line to its end.
func run(t *testing.T, environ []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log output
	err = Run(t.Context(), args, &out, &log, environ)
	return out.String(), log.String(), err
}

func id(typ, row string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(typ + ":" + row))
}

func TestHelpAndUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args string
		code int
		out  string
	}{
		{"--help", 0, "Show it at work"},
		{"serve --help", 0, "$STOCKBRIDGE_ALLOW_PRIVATE_ENDPOINTS"},
		{"version", 0, "stockbridge "},
		{"", 2, ""},
		{"fly", 2, ""},
		{"serve --no-such-flag", 2, ""},
		{"sync", 2, ""},
		{"sync --connection x --mode CLEVER", 2, ""},
		{"version --log-level loud", 2, ""},
		{"migrate --database mysql://x", 1, ""},
		{"sync --connection x", 1, ""},
	} {
		out, _, err := run(t, []string{"STOCKBRIDGE_DATABASE=sqlite://" + filepath.Join(t.TempDir(), "x.db")}, strings.Fields(tc.args)...)
		if code := exitCode(err); code != tc.code || !strings.Contains(out, tc.out) {
			t.Errorf("%q: exit %d (%v), want %d: %s", tc.args, code, err, tc.code, out)
		}
	}
}

// spec 5.5: every flag also as STOCKBRIDGE_*; the command line wins.
func TestFlagsAreEnvironmentVariablesToo(t *testing.T) {
	t.Parallel()
	environ := []string{
		"STOCKBRIDGE_DATABASE=postgres://example/x", "STOCKBRIDGE_LOG_FORMAT=json", "STOCKBRIDGE_LOG_LEVEL=debug", "STOCKBRIDGE_LISTEN=0.0.0.0:1", "STOCKBRIDGE_ADMIN_TOKEN=t",
		"STOCKBRIDGE_SECRET_KEY=k", "STOCKBRIDGE_FILE_ROOT=/a,/b", "STOCKBRIDGE_ALLOW_PRIVATE_ENDPOINTS=true", "STOCKBRIDGE_ALLOW_ORIGIN=", "STOCKBRIDGE_HELP=true", "OTHER=1",
	}
	cli, command, err := parse([]string{"serve", "--listen", "127.0.0.1:2"}, &output{}, &output{}, environ)
	if err != nil {
		t.Fatal(err)
	}
	s := command.(*serveCommand)
	if cli.Database != "postgres://example/x" || cli.LogFormat != "json" || cli.LogLevel != "debug" || s.Listen != "127.0.0.1:2" || s.AdminToken != "t" || s.SecretKey != "k" ||
		strings.Join(s.FileRoot, "|") != "/a|/b" || !s.AllowPrivateEndpoints || len(s.AllowOrigin) != 0 {
		t.Errorf("%+v %+v", cli, s)
	}
	cli, command, err = parse([]string{"serve"}, &output{}, &output{}, []string{"STOCKBRIDGE_ALLOW_PRIVATE_ENDPOINTS=false"})
	if err != nil {
		t.Fatal(err)
	}
	if s = command.(*serveCommand); cli.Database != "sqlite://stockbridge.db" || s.Listen != "127.0.0.1:8080" || s.AllowPrivateEndpoints {
		t.Errorf("defaults: %+v %+v", cli, s)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := "--database=sqlite://" + filepath.Join(t.TempDir(), "x.db")
	for _, want := range []string{"applied ", "the database is up to date"} {
		if out, _, err := run(t, nil, "migrate", db); err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("%q %v, want %q", out, err, want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, kind)
			if _, err := dbtest.Reopen(t, url, database.Options{}).CreateMerchant(t.Context(), database.CreateMerchant{Name: "Alpine"}); err != nil {
				t.Fatal(err)
			}
			environ := []string{"STOCKBRIDGE_DATABASE=" + url}
			secret, _, err := run(t, environ, "token", "create", "--name", "Ada")
			if err != nil || !strings.HasPrefix(secret, "sbt_") || strings.Count(secret, "\n") != 1 {
				t.Errorf("%q %v", secret, err)
			}
			if _, _, err := run(t, environ, "token", "create", "--name=Bob", "--role=PARTNER", "--merchant="+id("Merchant", "1"), "--lifetime=720h"); err != nil {
				t.Error(err)
			}
			for _, bad := range [][]string{{"--name=C", "--role=PARTNER"}, {"--name=C", "--merchant=" + id("Store", "1")}, {"--name=C", "--role=OPERATOR", "--merchant=" + id("Merchant", "9")}, {"--name="}, {"--name=C", "--lifetime=-1h"}} {
				if _, _, err := run(t, environ, append([]string{"token", "create"}, bad...)...); exitCode(err) != 1 {
					t.Errorf("%v: %v", bad, err)
				}
			}
			if out, _, err := run(t, environ, "token", "revoke", id("Token", "1")); err != nil || out != "revoked \"Ada\"\n" {
				t.Errorf("%q %v", out, err)
			}
			if _, _, err := run(t, environ, "token", "revoke", id("Token", "7")); err == nil {
				t.Error("revoked a token that is none")
			}
			out, _, err := run(t, environ, "token", "list")
			lines := strings.Split(out, "\n")
			if err != nil || len(lines) != 4 || !strings.Contains(lines[1], "revoked") || !strings.Contains(lines[2], "Alpine") || strings.Contains(out, strings.TrimSpace(secret)) {
				t.Errorf("%s %v", out, err)
			}
		})
	}
}
