package vendure

import (
	"context"
	"net/http"

	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// session is what signs requests with a token got for username and password.
type session struct {
	*outbound.Tokens
	door *outbound.Peer // unsigned, to log in by
}

// signature is kept in the context of a request: which one was sent, so that its token can be told apart from a newer one.
type signature struct{ req *http.Request }

func newSession(cfg Config, door *outbound.Peer) *session {
	graph := onhand.Graph{Peer: door, URL: cfg.URL}
	login := func(ctx context.Context) (outbound.Token, error) {
		var got struct {
			Login struct {
				Typename  string `json:"__typename"`
				ErrorCode string
				Message   string
			}
		}
		reply, err := graph.Ask(ctx, `mutation($u:String!,$p:String!){login(username:$u,password:$p){__typename ...on ErrorResult{errorCode message}}}`,
			map[string]any{"u": cfg.Username, "p": cfg.Password}, &got)
		if err != nil {
			return outbound.Token{}, onhand.Plain(err)
		}
		if got.Login.Typename != "CurrentUser" {
			return outbound.Token{}, fault.New(fault.CredentialsRefused, "credentials refused: %s (%s); check username and password", door.Hide(got.Login.Message), door.Hide(got.Login.ErrorCode))
		}
		token := reply.Header.Get("vendure-auth-token")
		if token == "" {
			return outbound.Token{}, fault.New(fault.BadReply, "the shop logs in but gives no token; put 'bearer' into its authOptions.tokenMethod")
		}
		return outbound.Token{Value: token}, nil // how long it holds is the shop's setting and not told
	}
	return &session{outbound.NewTokens(door.Clock(), login, nil), door}
}

// Sign implements outbound.Credentials.
func (s *session) Sign(ctx context.Context, req *http.Request) error {
	if err := s.Tokens.Sign(ctx, req); err != nil {
		return err
	}
	if signed, ok := ctx.Value(signature{}).(*signature); ok {
		signed.req = req
	}
	return nil
}
