package amazon

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

func (s *standIn) search(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); !marketplaces(q["marketplaceIds"], 1) || q.Get("pageSize") != "1" || len(q) != 2 {
		fails(w, 400, "InvalidInput", r.URL.RawQuery)
		return
	}
	writeJSON(w, 200, map[string]any{"numberOfResults": len(s.stock), "items": []any{}})
}

func (s *standIn) patch(w http.ResponseWriter, r *http.Request, escaped string, body []byte) {
	sku, err := url.PathUnescape(escaped)
	q := r.URL.Query()
	if err != nil || len(q) != 1 || !marketplaces(strings.Split(q.Get("marketplaceIds"), ","), 25) {
		fails(w, 400, "InvalidInput", r.URL.RawQuery)
		return
	}
	var in struct {
		ProductType string        `json:"productType"`
		Patches     []patchedBody `json:"patches"`
	}
	if !exact(w, body, &in, "productType", "patches") {
		return
	}
	if in.ProductType != "PRODUCT" || !patchable(in.Patches) {
		fails(w, 400, "InvalidInput", "productType or patches")
		return
	}
	w.Header().Set("X-Amzn-Ratelimit-Limit", "5.0")
	if _, ok := s.stock[sku]; !ok {
		fails(w, 404, "NOT_FOUND", fmt.Sprintf("SKU '%s' not found in marketplace %s", sku, east))
		return
	}
	answer := map[string]any{"sku": sku, "status": "ACCEPTED", "submissionId": "f1dc2914", "issues": []issue{}}
	if is, ok := s.issues[sku]; ok {
		answer["issues"] = []map[string]string{{"code": is.Code, "severity": is.Severity, "message": is.Message}}
		if is.Severity == "ERROR" {
			answer["status"] = "INVALID"
		}
	}
	if answer["status"] == "ACCEPTED" {
		s.stock[sku] = *in.Patches[0].Value[0].Quantity
		s.patched[sku] = r.URL.EscapedPath()
	}
	writeJSON(w, 200, answer)
}
