package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// Codes of documents that are named by a hash. Clients of Apollo's protocol know the words too: they send the document
// with its hash when they get the first, and stop naming documents by hashes when they get the second.
const (
	hashNotFound     fault.Code = "PERSISTED_QUERY_NOT_FOUND"
	hashNotSupported fault.Code = "PERSISTED_QUERY_NOT_SUPPORTED"
	hashMismatch     fault.Code = "PERSISTED_QUERY_MISMATCH"
	notAllowed       fault.Code = "DOCUMENT_NOT_ALLOWED"
)

// Bounds of what is remembered of documents, for each of two generations. A parsed document takes some 20 times its text.
const (
	maxDocuments     = 1000
	maxDocumentBytes = 1 << 20
	maxHashes        = 5000
	maxHashBytes     = 4 << 20
)

// documents remembers parsed and validated documents by their text, and texts by their SHA-256. Only what passed the
// bounds and validation comes here. It is safe for concurrent use.
type documents struct {
	parsed generations[string, *ast.QueryDocument]
	texts  generations[access.DocumentHash, string]
}

func newDocuments() *documents {
	return &documents{
		generations[string, *ast.QueryDocument]{most: maxDocuments, weight: maxDocumentBytes},
		generations[access.DocumentHash, string]{most: maxHashes, weight: maxHashBytes},
	}
}

// Get implements graphql.Cache.
func (d *documents) Get(_ context.Context, query string) (*ast.QueryDocument, bool) {
	return d.parsed.get(query)
}

// Add implements graphql.Cache.
func (d *documents) Add(_ context.Context, query string, doc *ast.QueryDocument) {
	d.parsed.put(strings.Clone(query), doc, len(query))
}

// named is what a request says of its document's hash: Apollo's extension persistedQuery. ok is false where it says
// nothing. Where it says nonsense the hash is not "".
func named(extensions map[string]any) (version, hash string, ok bool) {
	said, ok := extensions["persistedQuery"]
	if !ok || said == nil {
		return "", "", false
	}
	object, _ := said.(map[string]any)
	hash, _ = object["sha256Hash"].(string)
	return fmt.Sprint(object["version"]), hash, true
}

// find puts the text of the document into params where a hash stands for it, and refuses hashes that are not known or
// not the document's, and documents that the bearer's token is not for. remember is called once the document has passed
// all checks.
func (e *engine) find(ctx context.Context, params *graphql.RawParams) (remember func(), _ *gqlerror.Error) {
	remember = func() {}
	viewer, _ := access.From(ctx) // nobody signed in is refused by the schema
	version, written, byHash := named(params.Extensions)
	if !byHash && (viewer == nil || viewer.Documents == nil) {
		return remember, nil
	}
	var hash access.DocumentHash
	if byHash {
		n, err := hex.Decode(hash[:], []byte(fmt.Sprintf("%.64s", written)))
		switch {
		case version != "1":
			return nil, fail(hashNotSupported, "PersistedQueryNotSupported: extensions.persistedQuery has to be of version 1")
		case err != nil || n != len(hash) || len(written) != 2*len(hash):
			return nil, fail(hashMismatch, "extensions.persistedQuery.sha256Hash is not a SHA-256 in 64 hexadecimal digits")
		}
	}
	if params.Query != "" {
		is := access.DocumentHash(sha256.Sum256([]byte(params.Query)))
		if byHash && is != hash {
			return nil, fail(hashMismatch, "extensions.persistedQuery.sha256Hash is not that of the query: hash the text that you send, as UTF-8")
		}
		hash = is
	}
	if !viewer.MayRun(hash) {
		return nil, fail(notAllowed, fmt.Sprintf("the token is for certain documents alone, and %x is not among them: add it to a new token's documents, or use another token", hash))
	}
	if params.Query != "" {
		if byHash {
			text := params.Query
			remember = func() { e.docs.texts.put(hash, strings.Clone(text), len(text)) }
		}
		return remember, nil
	}
	text, ok := e.docs.texts.get(hash)
	if !ok {
		return nil, fail(hashNotFound, "PersistedQueryNotFound: send the document with its hash once")
	}
	params.Query = text
	return remember, nil
}

// documentsAlone tells whether the viewer's token is for documents, and so for no other page. Then it is answered.
func documentsAlone(w http.ResponseWriter, v *access.Viewer) bool {
	if v.Documents == nil {
		return false
	}
	refuse(w, http.StatusForbidden, notAllowed, "the token is for certain documents of GraphQL alone: use another token")
	return true
}
