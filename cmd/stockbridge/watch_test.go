package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// fact is an activity as the tests subscribe to it.
type fact struct {
	Cursor, Kind, SKU string
	Before, After     int64
}

func decodeFact(t *testing.T, text []byte) fact {
	t.Helper()
	var got struct {
		Data   struct{ Activity fact }
		Errors []any
	}
	if err := json.Unmarshal(text, &got); err != nil || len(got.Errors) > 0 {
		t.Fatalf("%v: %s", err, text)
	}
	return got.Data.Activity
}

// socket is a client of graphql-transport-ws that is signed in.
type socket struct{ *websocket.Conn }

func (s *instance) socket(t *testing.T) socket {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"Authorization": "Bearer " + s.token}}); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.ReadMessage(); err != nil || string(text) != `{"type":"connection_ack"}` {
		t.Fatalf("%s %v", text, err)
	}
	return socket{conn}
}

// subscribe starts an operation.
func (c socket) subscribe(id, query string, variables map[string]any) {
	_ = c.WriteJSON(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}}) // next tells
}

func (c socket) next(t *testing.T) fact {
	t.Helper()
	var m struct {
		Type    string
		Payload json.RawMessage
	}
	if err := c.ReadJSON(&m); err != nil || m.Type != "next" {
		t.Fatalf("%s %s: %v", m.Type, m.Payload, err)
	}
	return decodeFact(t, m.Payload)
}

func (c socket) closed(t *testing.T, code int) {
	t.Helper()
	var closed *websocket.CloseError
	_, text, err := c.ReadMessage()
	for err == nil && bytes.HasPrefix(text, []byte(`{"type":"ping"`)) { // where to go on
		_, text, err = c.ReadMessage()
	}
	if !errors.As(err, &closed) || closed.Code != code {
		t.Errorf("%s %v, want close %d", text, err, code)
	}
}

// stream is a subscription by server-sent events.
type stream struct{ *bufio.Scanner }

func (s *instance) listen(t *testing.T, query string, variables map[string]any) stream {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, text)
	}
	return stream{bufio.NewScanner(resp.Body)}
}

func (s stream) next(t *testing.T) fact {
	t.Helper()
	for s.Scan() {
		if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			return decodeFact(t, []byte(data))
		}
	}
	t.Fatalf("the stream ended: %v", s.Err())
	return fact{}
}

// ended expects nothing more but where to go on, and no complete.
func (s stream) ended(t *testing.T) {
	t.Helper()
	for s.Scan() {
		if s.Text() != "" && !strings.HasPrefix(s.Text(), ":") && !strings.HasPrefix(s.Text(), "id: ") {
			t.Errorf("%q after the end", s.Text())
		}
	}
}
