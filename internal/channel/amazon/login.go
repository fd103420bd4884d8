package amazon

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// token fetches an access token from Login with Amazon. Errors are CREDENTIALS_REFUSED with what to do, and those of Peer.Do.
func (s *Store) token(ctx context.Context) (outbound.Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.cfg.RefreshToken}, "client_id": {s.cfg.ClientID}, "client_secret": {s.cfg.ClientSecret}}
	var answer struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"` // seconds: 3600
	}
	_, err := s.login.Do(ctx, outbound.Request{
		Method: http.MethodPost, URL: s.cfg.TokenEndpoint, Body: []byte(form.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=UTF-8"}, "Accept": {"application/json"}},
		Judge: func(reply outbound.Reply) error {
			if err := reply.Check(s.login.Clock().Time()); err != nil {
				return s.loginRefused(reply, err)
			}
			if err := json.Unmarshal(reply.Body, &answer); err != nil || answer.AccessToken == "" {
				// The body is not repeated: it may hold a token.
				return fault.Wrap(err, fault.BadReply, "Login with Amazon answered %s, but with no access token", reply.StatusText())
			}
			return nil
		},
	})
	if err != nil {
		return outbound.Token{}, err
	}
	return outbound.Token{Value: answer.AccessToken, Life: time.Duration(min(max(answer.ExpiresIn, 0), 24*3600) * float64(time.Second))}, nil
}

// loginRefused gives a refusal of Login with Amazon its words (RFC 6749, section 5.2). Others stay as they are.
func (s *Store) loginRefused(reply outbound.Reply, err error) error {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if code := fault.CodeOf(err); code != fault.Refused && code != fault.CredentialsRefused || json.Unmarshal(reply.Body, &e) != nil {
		return err
	}
	advice := ""
	switch e.Error {
	case "invalid_client":
		advice = "clientId or clientSecret is wrong, or the secret has expired: enter those of the application"
	case "invalid_grant":
		advice = "the refreshToken is wrong, was revoked, or is another application's: have the seller authorise the application again"
	case "unauthorized_client":
		advice = "the application may not do this: look at its state in the developer console"
	default:
		return err
	}
	words := s.login.Hide(cmp.Or(e.Description, e.Error))
	return fault.New(fault.CredentialsRefused, "Login with Amazon answered %s (%s): %s", e.Error, words, advice)
}

// signer puts the access token into each attempt, and waits for the turn of its operation.
type signer struct{ tokens *outbound.Tokens }

func newSigner(clock outbound.Clock, fetch func(context.Context) (outbound.Token, error)) *signer {
	return &signer{outbound.NewTokens(clock, fetch, func(req *http.Request, token string) { req.Header.Set("X-Amz-Access-Token", token) })}
}

// turn is one call of an operation, over all its attempts.
type turn struct {
	limit *limit
	last  *http.Request // the attempt signed last
}

type turnKey struct{}

// Sign implements outbound.Credentials.
func (c *signer) Sign(ctx context.Context, req *http.Request) error {
	err := c.tokens.Sign(ctx, req)
	t, ok := ctx.Value(turnKey{}).(*turn)
	if err != nil || !ok {
		return err
	}
	t.last = req
	return t.limit.wait(ctx) // last, so that nothing is between its turn and the request
}

// Refused implements outbound.Credentials.
func (c *signer) Refused(req *http.Request) bool { return c.tokens.Refused(req) }
