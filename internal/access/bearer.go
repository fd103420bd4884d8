package access

import (
	"strings"

	"stockbridge/internal/fault"
)

const signIn = "send the header Authorization: Bearer <token>"

// Bearer returns the token of a request's Authorization headers, or of the one text that stands for them in
// a connection_init (spec 5.3). There must be exactly one, "Bearer" in any case, spaces, and one token of visible
// ASCII. The error is a fault with code UNAUTHENTICATED and never repeats what may be a secret.
func Bearer(authorization []string) (string, error) {
	refuse := func(what string) (string, error) {
		return "", fault.New(fault.Unauthenticated, "%s; %s", what, signIn)
	}
	switch len(authorization) {
	case 0:
		return refuse("there is no Authorization header")
	case 1:
	default:
		return refuse("there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(strings.Trim(authorization[0], " \t"), " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return refuse("the Authorization header does not begin with Bearer and a space")
	case token == "":
		return refuse("the Authorization header has no token after Bearer")
	case strings.ContainsAny(token, " \t"):
		return refuse("the Authorization header has more than one token after Bearer")
	case !visible(token):
		return refuse("the token in the Authorization header has characters that no token has")
	}
	return token, nil
}

// visible tells whether a text is of visible ASCII only.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
