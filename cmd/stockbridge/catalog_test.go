package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stockbridge/internal/database/dbtest"
)

// upload sends a catalog file as browsers do and returns the import's status and how many rows it made.
func (s *instance) upload(t *testing.T, merchant, kind, file string) (status string, created int) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	operations, err := json.Marshal(map[string]any{"query": "mutation($in: ImportCatalogInput!) { importCatalog(input: $in) { import { status created error problems { nodes { line message } } } userErrors { message } } }",
		"variables": map[string]any{"in": map[string]any{"merchantId": merchant, "kind": kind, "file": nil}}})
	if err == nil {
		err = form.WriteField("operations", string(operations))
	}
	if err == nil {
		err = form.WriteField("map", `{"0": ["variables.in.file"]}`)
	}
	var part io.Writer
	if err == nil {
		part, err = form.CreateFormFile("0", "catalog.csv")
	}
	if err == nil {
		_, err = io.WriteString(part, file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {form.FormDataContentType()}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Data struct {
			ImportCatalog struct {
				Import struct {
					Status  string
					Created int
				}
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %s", resp.Status, text)
	}
	return got.Data.ImportCatalog.Import.Status, got.Data.ImportCatalog.Import.Created
}

// export downloads a file.
func (s *instance) export(t *testing.T, path, token string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/export/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}

// spec 5, 3.2: an uploaded catalog changes what stores are told; what it holds is exported to who may read it (spec 5.2).
func TestCatalogFiles(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, kind)
			s := serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints", "--max-upload", "1")
			shop := openShop(t, nil)
			merchant, warehouse, store, connection := s.connect(t, shop)
			foreign := s.change(t, "createMerchant", "merchant", map[string]any{"name": "Globex"})
			s.report(t, warehouse, "HELMET", 12)
			products := "sku,name,upc,imageUrl\n=1+1,\"two\nlines\",,\nHELMET,Helmet,,\n"
			for _, file := range []struct{ kind, text string }{{"PRODUCTS", products}, {"LISTINGS", "store,sku,channelSku,maxQuantity\nShop,HELMET,H-1,5\n"}} {
				if status, created := s.upload(t, merchant, file.kind, file.text); status != "SUCCEEDED" || created == 0 {
					t.Fatal(file.kind, status, created)
				}
			}
			s.sync(t, connection)
			shop.expect(t, "H-1 5")

			var partner struct{ CreateToken struct{ Secret string } }
			s.ask(t, &partner, "mutation($m: ID!) { createToken(input: {name: \"Pia\", role: PARTNER, merchantIds: [$m]}) { secret } }", map[string]any{"m": merchant})
			for _, tc := range []struct {
				path, token string
				status      int
				says        string
			}{
				{"products.csv?merchantId=" + merchant, partner.CreateToken.Secret, 200, products},
				{"listings.jsonl?merchantId=" + merchant + "&storeId=" + store, partner.CreateToken.Secret, 200, `{"store":"Shop","sku":"HELMET","channelSku":"H-1","inventoryEnabled":true,"maxQuantity":5,`},
				{"channel-levels.csv?merchantId=" + merchant, partner.CreateToken.Secret, 200, "\nShop,,H-1,HELMET,5,"},
				{"warehouse-levels.csv?merchantId=" + merchant, partner.CreateToken.Secret, 200, "\nValley,,HELMET,12,"},
				{"products.csv?merchantId=" + foreign, partner.CreateToken.Secret, 404, "NOT_FOUND"},
				{"products.csv?merchantId=" + foreign, adminToken, 200, "sku,name,upc,imageUrl\n"},
				{"products.csv", adminToken, 404, "NOT_FOUND"},
				{"products.xml?merchantId=" + merchant, adminToken, 404, "NOT_FOUND"},
				{"products.csv?merchantId=" + merchant + "&storeId=" + store, adminToken, 400, "INVALID"},
				{"products.csv?merchantId=" + merchant, "nobody", 401, "UNAUTHENTICATED"},
			} {
				if status, text := s.export(t, tc.path, tc.token); status != tc.status || !strings.Contains(text, tc.says) {
					t.Errorf("%s: %d %s", tc.path, status, text)
				}
			}

			dir := t.TempDir()
			environ := []string{"STOCKBRIDGE_DATABASE=" + url}
			file := filepath.Join(dir, "products.csv")
			if out, _, err := run(t, environ, "export", "--merchant", merchant, "products", file); err != nil || out != "" {
				t.Fatal(out, err)
			}
			if _, _, err := run(t, environ, "export", "--merchant", merchant, "products", file); err == nil {
				t.Error("a file was overwritten")
			}
			if out, _, err := run(t, environ, "export", "--merchant", merchant, "--format", "JSON_LINES", "--store", store, "listings"); err != nil || !strings.Contains(out, `"H-1"`) {
				t.Error(out, err)
			}
			if _, _, err := run(t, environ, "export", "--merchant", foreign, "--store", store, "listings", filepath.Join(dir, "none")); err == nil {
				t.Error("another merchant's store")
			}
			text, err := os.ReadFile(file)
			if err != nil || string(text) != products {
				t.Errorf("%q %v", text, err)
			}
			if strings.HasPrefix(url, "sqlite:") { // one process at a time
				_, _, err := run(t, environ, "import", "--merchant", merchant, "--kind", "PRODUCTS", file)
				if exitCode(err) != 1 || !strings.Contains(err.Error(), fmt.Sprintf("another stockbridge process (pid %d)", os.Getpid())) {
					t.Errorf("beside a server: %v", err)
				}
				if err := s.stop(); err != nil {
					t.Fatal(err)
				}
			}
			for _, tc := range []struct {
				merchant, says string
				args           []string
			}{
				{merchant, "PRODUCTS: SUCCEEDED\nrows 2, created 0, updated 0, unchanged 2, failed 0\n", nil},
				{foreign, "PRODUCTS: SUCCEEDED (dry run: nothing was written)\nrows 2, created 2, ", []string{"--dry-run"}},
				{foreign, "PRODUCTS: SUCCEEDED\nrows 2, created 2, ", nil},
			} {
				args := append([]string{"import", "--merchant", tc.merchant, "--kind", "PRODUCTS", file}, tc.args...)
				if out, _, err := run(t, environ, args...); err != nil || !strings.HasPrefix(out, tc.says) {
					t.Errorf("%s %v", out, err)
				}
			}
			bad := filepath.Join(dir, "listings.csv")
			if err := os.WriteFile(bad, []byte("store,sku,maxQuantity\nShop,HELMET,7\nShop,NONE,\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, _, err := run(t, environ, "import", "--merchant", merchant, "--kind=LISTINGS", bad)
			if exitCode(err) != 1 || !strings.Contains(err.Error(), "of 2 rows 1 cannot be used") || !strings.Contains(out, "line 3 SKU NONE sku NOT_FOUND: ") {
				t.Errorf("%s %v", out, err)
			}
			out, _, err = run(t, environ, "import", "--merchant", merchant, "--kind=LISTINGS", "--on-error=SKIP_ROWS", bad)
			if exitCode(err) != 1 || !strings.Contains(out, "LISTINGS: PARTIAL\nrows 2, created 1, ") {
				t.Errorf("%s %v", out, err)
			}
			if strings.HasPrefix(url, "sqlite:") {
				s = serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints", "--max-upload", "1")
			}
			s.sync(t, connection)
			shop.expect(t, "HELMET 7") // planned by the command
			if _, _, err := run(t, environ, "import", "--merchant", merchant, "--kind=STORES", bad); exitCode(err) != 2 {
				t.Error(err)
			}
		})
	}
}

// A file beyond the bound is refused with 413, and nothing is begun.
func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, dbtest.URL(t, "sqlite"), "--admin-token", adminToken, "--max-upload", "1")
	body := "--b\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"query\": \"mutation($f: Upload) { importCatalog(input: {merchantId: \\\"x\\\", kind: PRODUCTS, file: $f}) { userErrors { code } } }\", \"variables\": {\"f\": null}}\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{\"f\": [\"variables.f\"]}\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n%s\r\n--b--\r\n"
	for size, want := range map[int]int{100: 200, 1 << 20: 413} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", strings.NewReader(fmt.Sprintf(body, strings.Repeat("x", size))))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"multipart/form-data; boundary=b"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != want || want == 200 && !bytes.Contains(text, []byte("NOT_FOUND")) {
			t.Errorf("%d bytes: %s %s %v", size, resp.Status, text, err)
		}
	}
}
