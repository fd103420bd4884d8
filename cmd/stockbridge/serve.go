package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
	"stockbridge/internal/catalog"
	"stockbridge/internal/cron"
	"stockbridge/internal/database"
	"stockbridge/internal/outbound"
	"stockbridge/internal/server"
)

type serveCommand struct {
	outside
	Listen             string        `help:"The address to serve on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	AdminToken         string        `help:"A token that lets an ADMIN in. Left out: one is made on the first start and printed once." placeholder:"TOKEN"`
	AllowOrigin        []string      `help:"A web page's origin (https://shop.example) that may use the API besides the server's own pages; * is any. Can be given several times." placeholder:"ORIGIN"`
	SmartFloor         time.Duration `help:"The least time between two Smart Syncs of a schedule." default:"5m"`
	OIDCIssuer         string        `name:"oidc-issuer" help:"An OpenID Connect provider whose JWTs let people and programs in, as its tokens name it." placeholder:"URL"`
	OIDCAudience       string        `name:"oidc-audience" help:"The audience that the provider's tokens have to be for." placeholder:"NAME"`
	OIDCRoleClaim      string        `name:"oidc-role-claim" help:"The claim that holds ADMIN, OPERATOR or PARTNER." default:"stockbridge_role" placeholder:"CLAIM"`
	OIDCMerchantsClaim string        `name:"oidc-merchants-claim" help:"The claim that holds the names or ids of merchants." default:"stockbridge_merchants" placeholder:"CLAIM"`
	ScheduleJitter     time.Duration `help:"The window over which scheduled syncs that are due at the same time begin, so that they do not all at once. 0 turns it off." default:"30s"`
	MaxSyncs           int           `help:"How many syncs run at once; others wait." default:"16"`
	Keep               time.Duration `help:"How long activities and the problems of syncs are kept, a day at least; the latest 200 activities of a SKU are kept however old. 0 keeps all." default:"2160h"`
	MaxUpload          int64         `help:"The largest file that can be sent, in MiB." default:"64"`
	MaxSockets         int           `help:"How many WebSockets and event streams one token may have open." default:"1000"`
	CostBudget         int64         `help:"What the documents of one token may cost at once; see docs/guide/limits.md. 0 bounds nothing." default:"40000" placeholder:"COST"`
	CostRestore        int64         `help:"How much of its budget a token gets back each second." default:"4000" placeholder:"COST"`
	StopGrace          time.Duration `help:"How long a stop waits for requests, and then for syncs, which end INTERRUPTED after it." default:"10s"`
}

// Run serves until the invocation's context ends.
func (c *serveCommand) Run(i *invocation) error {
	return c.serve(i, func(url, made string) {
		if made != "" {
			i.say("An admin's token, shown this once: %s", made)
		}
		i.say("Stockbridge serves %s", url)
	})
}

// serve calls ready once requests are answered, with the server's URL and the admin token if one was made, and returns
// when the context has ended and everything is stopped.
func (c *serveCommand) serve(i *invocation, ready func(url, made string)) (err error) {
	switch {
	case c.Keep != 0 && c.Keep < 24*time.Hour:
		return usageError{fmt.Errorf("--keep: %v is less than a day; who follows the feed has to have time to come back. Write 24h or more, or 0 to keep all", c.Keep)}
	case c.ScheduleJitter < 0 || c.ScheduleJitter > time.Hour:
		return usageError{fmt.Errorf("--schedule-jitter: %v is out of range; write 0s to 1h", c.ScheduleJitter)}
	case c.MaxSyncs < 1 || c.MaxSyncs > 1000:
		return usageError{fmt.Errorf("--max-syncs: %d is out of range; write 1 to 1000", c.MaxSyncs)}
	case c.CostBudget < 0:
		return usageError{fmt.Errorf("--cost-budget: %d is out of range; write 1 or more, or 0 to bound nothing", c.CostBudget)}
	case c.CostBudget > 0 && c.CostRestore < 1: // without a budget there is nothing to restore
		return usageError{fmt.Errorf("--cost-restore: %d is out of range; write 1 or more, else a budget that is spent stays so", c.CostRestore)}
	}
	a, err := i.open(c.outside, c.MaxSyncs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.platforms.Close(), a.db.Close()) }()
	made, err := c.admin(i, a.db)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(i, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer listener.Close() //nolint:errcheck // closed by Serve, when it came to that

	feedCtx, stopFeed := context.WithCancel(context.WithoutCancel(i))
	reader := access.Scope(a.db.Reader())
	feed, fed := activity.New(a.db, a.bell, i.log), make(chan struct{})
	go func() { defer close(fed); feed.Run(feedCtx) }()
	defer func() { stopFeed(); <-fed }()

	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(i), c.StopGrace)
		defer cancel()
		a.pipeline.Close(ctx)
	}()
	if err := a.pipeline.Recover(i); err != nil {
		return err
	}
	jobs, err := cron.New(cron.Config{DB: a.db, Start: a.pipeline.StartDue, Keeper: a.pipeline.Keeper, Log: i.log, Jitter: c.ScheduleJitter})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, jobs.Close()) }()
	if err := jobs.Keep(c.Keep); err != nil {
		return err
	}
	if err := jobs.Start(i); err != nil {
		return err
	}
	if a.db.Shared() {
		watchCtx, stopWatch := context.WithCancel(context.WithoutCancel(i))
		watched := make(chan struct{})
		go func() { defer close(watched); jobs.Watch(watchCtx) }()
		defer func() { stopWatch(); <-watched }()
	}

	issuer, err := c.issuer(a.db)
	if err != nil {
		return err
	}
	imports := catalog.New(catalog.Config{DB: a.db, Replan: a.pipeline.Replan, Working: a.pipeline.Working, Log: i.log})
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(i), c.StopGrace)
		defer cancel()
		imports.Close(ctx)
	}()
	if err := imports.Recover(i); err != nil {
		return err
	}
	bearers := access.NewAuthenticator(a.db, issuer, i.log)
	s := server.New(server.Config{
		Schema: graph.New(graph.Config{Reader: reader, DB: a.db, Pipeline: a.pipeline, Platforms: a.platforms, Feed: feed, Imports: imports, Cron: jobs,
			Log: i.log, SmartFloor: c.SmartFloor}),
		Authenticate: bearers.Authenticate,
		Recheck:      bearers.Recheck,
		MaxSockets:   c.MaxSockets,
		Present:      graph.ErrorPresenter(i.log),
		Once:         access.NewOnce(a.db, a.sealer),
		Ready:        a.db.Ping,
		Metrics:      []prometheus.Collector{syncMetrics{a.pipeline}},
		MaxUpload:    c.MaxUpload << 20,
		Budget:       server.Budget{Max: c.CostBudget, Restore: c.CostRestore},
		Export: func(ctx context.Context, name string, q url.Values) (*server.Export, error) {
			subject, format := catalog.FormatOf(name)
			e, err := catalog.Open(ctx, reader, subject, format, q.Get("merchantId"), q.Get("storeId"))
			if err != nil {
				return nil, err
			}
			return &server.Export{Name: e.Name(), ContentType: e.ContentType(), Write: e.Write}, nil
		},
		Log:     i.log,
		Origins: c.AllowOrigin,
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	at := "http://" + listener.Addr().String()
	i.log.Info("serving", "url", at, "database", a.db.Dialect(), "version", version())
	ready(at, made)
	select {
	case err = <-served:
	case <-i.Done():
		i.log.Info("stopping")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i), c.StopGrace)
	defer cancel()
	if late := s.Shutdown(ctx); late != nil {
		i.log.Warn("stopping", "err", late) // clients connect again
	}
	return err
}

// issuer is whose JWTs let in, nil for nobody's.
func (c *serveCommand) issuer(db *database.DB) (*access.Issuer, error) {
	if c.OIDCIssuer == "" {
		if c.OIDCAudience != "" {
			return nil, usageError{errors.New("--oidc-audience means nothing without --oidc-issuer")}
		}
		return nil, nil
	}
	if strings.HasPrefix(c.OIDCIssuer, "http:") && !c.AllowPrivateEndpoints {
		return nil, usageError{errors.New("--oidc-issuer: whoever is on the way could forge the keys of an http issuer, so give its https URL")}
	}
	issuer, err := access.NewIssuer(db, access.IssuerConfig{URL: c.OIDCIssuer, Audience: c.OIDCAudience, RoleClaim: c.OIDCRoleClaim, MerchantsClaim: c.OIDCMerchantsClaim,
		Client: outbound.Policy{AllowPrivate: c.AllowPrivateEndpoints}.Client(2, 10*time.Second)})
	if err != nil {
		return nil, usageError{fmt.Errorf("--oidc-issuer: %w", err)}
	}
	return issuer, nil
}

// admin sees to it that there is an admin token, and returns the secret if it made one.
func (c *serveCommand) admin(i *invocation, db *database.DB) (made string, err error) {
	if c.AdminToken != "" {
		if err := access.CheckSecret(c.AdminToken); err != nil {
			return "", fmt.Errorf("--admin-token: %w", err)
		}
		if _, err := db.EnsureAdminToken(i, access.Hash(c.AdminToken), hint(c.AdminToken)); err != nil {
			return "", fmt.Errorf("--admin-token: %w", err)
		}
		return "", nil
	}
	secret, err := access.NewSecret(rand.Reader)
	if err != nil {
		return "", err
	}
	if added, err := db.FirstAdminToken(i, access.Hash(secret), hint(secret)); err != nil || !added {
		return "", err
	}
	return secret, nil
}
