package amazon

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *standIn) createDocument(w http.ResponseWriter, body []byte) {
	var in struct {
		ContentType string `json:"contentType"`
	}
	if !exact(w, body, &in, "contentType") {
		return
	}
	id, address := s.store(&document{contentType: in.ContentType, until: s.now().Add(5 * time.Minute)})
	writeJSON(w, 201, map[string]string{"feedDocumentId": id, "url": address})
}

// store keeps a document and makes an address of it.
func (s *standIn) store(d *document) (id, address string) {
	id = fmt.Sprintf("amzn1.tortuga.4.na.doc-%d", len(s.documents))
	s.documents[id] = d
	return id, s.address(id)
}

func (s *standIn) address(id string) string {
	return s.docs.URL + "/" + id + "?X-Amz-Expires=300&X-Amz-Signature=SIGNATURE"
}

func (s *standIn) createFeed(w http.ResponseWriter, body []byte) {
	var in struct {
		FeedType       string            `json:"feedType"`
		MarketplaceIDs []string          `json:"marketplaceIds"`
		Document       string            `json:"inputFeedDocumentId"`
		Options        map[string]string `json:"feedOptions"`
	}
	if !exact(w, body, &in, "feedType", "marketplaceIds", "inputFeedDocumentId") {
		return
	}
	d := s.documents[in.Document]
	if in.FeedType != "JSON_LISTINGS_FEED" || !marketplaces(in.MarketplaceIDs, 25) || d == nil || d.body == nil {
		fails(w, 400, "InvalidInput", "feedType, marketplaceIds or inputFeedDocumentId")
		return
	}
	id := fmt.Sprint(50001 + len(s.feeds))
	r := s.process(id, d.body)
	f := &feed{}
	if s.end != "CANCELLED" {
		if s.change != nil {
			s.change(r)
		}
		raw, err := json.Marshal(r)
		if err != nil {
			s.t.Error(err)
		}
		s.reports = append(s.reports, raw)
		result := &document{body: raw}
		if s.gzip {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write(raw) //nolint:errcheck // into memory
			z.Close()    //nolint:errcheck // into memory
			result.body, result.compression = b.Bytes(), "GZIP"
		}
		f.report, _ = s.store(result)
	}
	s.feeds[id] = f
	writeJSON(w, 202, map[string]string{"feedId": id})
}

// feedBody is a feed as its schema (v2) has it.
type feedBody struct {
	Header struct {
		SellerID string `json:"sellerId"`
		Version  string `json:"version"`
	} `json:"header"`
	Messages []struct {
		MessageID     int           `json:"messageId"`
		SKU           string        `json:"sku"`
		OperationType string        `json:"operationType"`
		ProductType   string        `json:"productType"`
		Patches       []patchedBody `json:"patches"`
	} `json:"messages"`
}

type patchedBody struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value []struct {
		Channel  string `json:"fulfillment_channel_code"`
		Quantity *int64 `json:"quantity"`
	} `json:"value"`
}

// process carries a feed out, and returns its report.
func (s *standIn) process(id string, body []byte) map[string]any {
	s.submitted = append(s.submitted, body)
	issues, accepted, invalid := []map[string]any{}, 0, 0
	fatal := func(code, message string) map[string]any {
		return map[string]any{
			"header": map[string]any{"sellerId": seller, "version": "2.0", "feedId": id}, "issues": []map[string]any{{"code": code, "severity": "ERROR", "message": message}},
			"summary": map[string]any{"errors": 1, "warnings": 0, "messagesProcessed": 0, "messagesAccepted": 0, "messagesInvalid": 0},
		}
	}
	var in feedBody
	if err := strictly(body, &in); err != nil || in.Header.SellerID != seller || in.Header.Version != "2.0" || len(in.Messages) == 0 || len(in.Messages) > 25_000 {
		return fatal("4000001", fmt.Sprintf("The feed cannot be read: %v", err))
	}
	seen, errs, warnings := map[int]bool{}, 0, 0
	for _, m := range in.Messages {
		if m.MessageID < 1 || seen[m.MessageID] || m.SKU == "" || m.OperationType != "PATCH" || m.ProductType != "PRODUCT" || !patchable(m.Patches) {
			invalid++
			errs++
			issues = append(issues, map[string]any{"messageId": m.MessageID, "code": "4002008", "severity": "ERROR", "message": "The provided message did not meet the schema validation requirements for a feed message."})
			continue
		}
		seen[m.MessageID] = true
		if is, ok := s.issues[m.SKU]; ok {
			issues = append(issues, map[string]any{"messageId": m.MessageID, "sku": m.SKU, "code": is.Code, "severity": is.Severity, "message": is.Message})
			if is.Severity == "ERROR" {
				invalid++
				errs++
				continue
			}
			warnings++
		}
		accepted++
		s.stock[m.SKU] = *m.Patches[0].Value[0].Quantity
	}
	return map[string]any{
		"header": map[string]any{"sellerId": seller, "version": "2.0", "feedId": id}, "issues": issues,
		"summary": map[string]any{"errors": errs, "warnings": warnings, "messagesProcessed": len(in.Messages), "messagesAccepted": accepted, "messagesInvalid": invalid},
	}
}

func patchable(patches []patchedBody) bool {
	return len(patches) == 1 && patches[0].Op == "merge" && patches[0].Path == "/attributes/fulfillment_availability" && len(patches[0].Value) == 1 &&
		patches[0].Value[0].Channel == "DEFAULT" && patches[0].Value[0].Quantity != nil && *patches[0].Value[0].Quantity >= 0
}

func marketplaces(ids []string, most int) bool {
	return len(ids) > 0 && len(ids) <= most && !slices.ContainsFunc(ids, func(id string) bool { return id != east && id != north })
}

func (s *standIn) getFeed(w http.ResponseWriter, id string) {
	f := s.feeds[id]
	if f == nil {
		fails(w, 404, "NotFound", "feed "+id)
		return
	}
	f.polls++
	state := map[string]any{"feedId": id, "feedType": "JSON_LISTINGS_FEED", "createdTime": s.now().Format(time.RFC3339), "marketplaceIds": []string{east}, "processingStatus": "IN_QUEUE"}
	switch {
	case f.polls > s.polls:
		state["processingStatus"] = map[bool]string{true: "DONE", false: s.end}[s.end == ""]
		if f.report != "" {
			state["resultFeedDocumentId"] = f.report
		}
	case f.polls > 1:
		state["processingStatus"] = "IN_PROGRESS"
	}
	writeJSON(w, 200, state)
}

func (s *standIn) getDocument(w http.ResponseWriter, id string) {
	d := s.documents[id]
	if d == nil {
		fails(w, 404, "NotFound", "document "+id)
		return
	}
	d.until = s.now().Add(5 * time.Minute)
	answer := map[string]string{"feedDocumentId": id, "url": s.address(id)}
	if packing := cmp.Or(s.packing, d.compression); packing != "" {
		answer["compressionAlgorithm"] = packing
	}
	writeJSON(w, 200, answer)
}

// serveDocuments is the place of documents, S3: what it refuses it refuses in XML.
func (s *standIn) serveDocuments(w http.ResponseWriter, r *http.Request) {
	op := map[string]string{http.MethodPut: opUpload, http.MethodGet: opDownload}[r.Method]
	s.run(w, r, op, func(w http.ResponseWriter, body []byte) {
		if r.Header.Get("X-Amz-Access-Token") != "" || r.Header.Get("Authorization") != "" {
			s.t.Errorf("%s came with a token", op)
		}
		d := s.documents[strings.TrimPrefix(r.URL.Path, "/")]
		switch {
		case d == nil || r.URL.Query().Get("X-Amz-Signature") != "SIGNATURE":
			storageFails(w, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
		case !s.now().Before(d.until):
			storageFails(w, 403, "AccessDenied", "Request has expired")
		case r.Method == http.MethodPut && r.Header.Get("Content-Type") != d.contentType:
			storageFails(w, 403, "SignatureDoesNotMatch", "Content-Type is "+r.Header.Get("Content-Type"))
		case r.Method == http.MethodPut:
			d.body = body
		default:
			w.Write(d.body) //nolint:errcheck // the client may be gone
		}
	})
}
