package server

import "testing"

// RFC 9110, 12.5.1: what a client names with a quality of 0 it is not given, whatever a wider range says.
func TestAcceptOfWhatIsRefused(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"application/json;q=0, */*":                                              graphqlJSON,
		"*/*, application/json;q=0":                                              graphqlJSON,
		"application/json;q=0, application/*;q=0.5, */*":                         graphqlJSON,
		"application/json;q=0, application/graphql-response+json;q=0, */*":       "",
		"application/json;q=0, text/event-stream;q=0.1":                          eventStream,
		"application/graphql-response+json;q=0, */*":                             plainJSON,
		"application/*;q=0, */*":                                                 "",
		"*/*, application/*;q=0":                                                 "",
		"*/*;q=0, application/graphql-response+json":                             graphqlJSON,
		"*/*;q=0, application/*;q=0.1":                                           plainJSON,
		"application/*;q=0.2, */*;q=0.9, application/graphql-response+json;q=.1": plainJSON,
	} {
		got := append(accept([]string{header}), "")
		if got[0] != want {
			t.Errorf("%q: %q, want %q", header, got[0], want)
		}
	}
}
