package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/token"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/globalid"
)

// tokenCommand works on the database itself, so it also lets back in who lost the last admin token.
type tokenCommand struct {
	Create createTokenCommand `cmd:"" help:"Make a token and print its secret, this once."`
	List   listTokensCommand  `cmd:"" help:"List the tokens. Their secrets are not kept."`
	Revoke revokeTokenCommand `cmd:"" help:"Shut the bearer of a token out."`
}

type createTokenCommand struct {
	Name     string        `help:"Who or what it is for." required:""`
	Role     string        `help:"ADMIN may do all, OPERATOR all for its merchants, PARTNER reads and subscribes." enum:"ADMIN,OPERATOR,PARTNER" default:"ADMIN"`
	Merchant []string      `help:"The id of a merchant it is for, as the API gives it. Can be given several times." placeholder:"ID"`
	Document []string      `help:"The SHA-256 of a GraphQL document that it may run, in hexadecimal digits. Can be given several times. Left out: it may run any." placeholder:"HASH"`
	Lifetime time.Duration `help:"After this long it expires (720h). Left out: never." placeholder:"DURATION"`
}

// Run makes a token.
func (c *createTokenCommand) Run(i *invocation) (err error) {
	in := database.CreateToken{Name: c.Name, Role: enum.Role(c.Role)}
	for _, id := range c.Merchant {
		row, err := globalid.Of("Merchant", id)
		if err != nil {
			return fmt.Errorf("--merchant: %w", err)
		}
		in.MerchantIDs = append(in.MerchantIDs, row)
	}
	documents, err := access.ParseDocuments(c.Document)
	if err != nil {
		return fmt.Errorf("--document: %w", err)
	}
	in.Documents = documents
	db, err := i.openDatabase(database.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	secret, err := access.NewSecret(rand.Reader)
	if err != nil {
		return err
	}
	in.Hash, in.Hint = access.Hash(secret), hint(secret)
	if c.Lifetime != 0 {
		expires := db.Now().Add(c.Lifetime)
		in.ExpiresAt = &expires
	}
	if _, err := db.CreateToken(i, in); err != nil {
		return err
	}
	i.say("%s", secret)
	return nil
}

type listTokensCommand struct{}

// Run lists the tokens.
func (c *listTokensCommand) Run(i *invocation) (err error) {
	db, err := i.openDatabase(database.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tokens, err := db.Reader().Token.Query().WithMerchants().Order(ent.Asc(token.FieldID)).All(i)
	if err != nil {
		return fmt.Errorf("list tokens: %w", err)
	}
	w := tabwriter.NewWriter(i.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tNAME\tROLE\tMERCHANTS\tENDS IN\tEXPIRES\tLAST USED\tSTATE") // errors come with Flush
	for _, t := range tokens {
		var merchants []string
		for _, m := range t.Edges.Merchants {
			merchants = append(merchants, m.Name)
		}
		state := "good"
		switch {
		case t.RevokedAt != nil:
			state = "revoked"
		case t.ExpiresAt != nil && !t.ExpiresAt.After(db.Now()):
			state = "expired"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", globalid.New("Token", t.ID), t.Name, t.Role, strings.Join(merchants, ", "), t.Hint, day(t.ExpiresAt), day(t.LastUsedAt), state)
	}
	return w.Flush()
}

func day(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

type revokeTokenCommand struct {
	ID string `arg:"" help:"The token's id, as list and the API give it."`
}

// Run revokes a token.
func (c *revokeTokenCommand) Run(i *invocation) (err error) {
	row, err := globalid.Of("Token", c.ID)
	if err != nil {
		return err
	}
	db, err := i.openDatabase(database.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	revoked, err := db.RevokeToken(i, row)
	if err != nil {
		return err
	}
	i.say("revoked %q", revoked.Name)
	return nil
}
