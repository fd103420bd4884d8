package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strconv"

	"stockbridge/internal/fault"
)

// DocumentHash is the SHA-256 of a GraphQL document's text.
type DocumentHash [sha256.Size]byte

// DocumentHashes are hashes one after the other, ascending, as they are stored.
type DocumentHashes []byte

const maxDocuments = 1000

// ParseDocuments reads the documents that a token is to be for, each a SHA-256 in 64 hexadecimal digits; nil, for any
// document, of nil. Faults: BLANK of documents where it is empty, TOO_MANY, and INVALID of documents.N.
func ParseDocuments(written []string) (DocumentHashes, error) {
	switch {
	case written == nil:
		return nil, nil
	case len(written) == 0:
		return nil, fault.At("documents", fault.Blank, "a token that may run no document is good for nothing: name one at least, or leave documents out, which allows all")
	case len(written) > maxDocuments:
		return nil, fault.At("documents", fault.TooMany, "%d documents are listed; a token has at most %d", len(written), maxDocuments)
	}
	var faults fault.List
	hashes := make([]DocumentHash, len(written))
	for i, text := range written {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != sha256.Size {
			faults = append(faults, fault.At("documents."+strconv.Itoa(i), fault.Invalid, "%.20q is not the SHA-256 of a document: write its 64 hexadecimal digits", text))
			continue
		}
		hashes[i] = DocumentHash(raw)
	}
	if err := faults.Or(); err != nil {
		return nil, err
	}
	slices.SortFunc(hashes, func(a, b DocumentHash) int { return bytes.Compare(a[:], b[:]) })
	var all DocumentHashes
	for _, h := range slices.Compact(hashes) {
		all = append(all, h[:]...)
	}
	return all, nil
}

// Written are the hashes in hexadecimal digits; nil of nil.
func (d DocumentHashes) Written() []string {
	var all []string
	for h := range slices.Chunk(d, sha256.Size) {
		all = append(all, hex.EncodeToString(h))
	}
	return all
}

func (d DocumentHashes) has(hash DocumentHash) bool {
	at := func(i int) []byte { return d[i*sha256.Size : (i+1)*sha256.Size] }
	n := len(d) / sha256.Size
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), hash[:]) >= 0 })
	return i < n && bytes.Equal(at(i), hash[:])
}

// MayRun tells whether the viewer's token is for a document. Nobody is bound to none.
func (v *Viewer) MayRun(hash DocumentHash) bool {
	return v == nil || v.Documents == nil || v.Documents.has(hash)
}
