package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// fields are settings by name, not yet looked into.
type fields map[string]json.RawMessage

// SecretsKey is the field of stored settings that lists which secrets are set, so that this can be told without opening them.
const SecretsKey = "secrets"

// stored is what a row keeps of how it is reached.
type stored struct {
	merchantID int64
	platform   enum.Platform
	settings   json.RawMessage
	sealed     []byte
}

// chosen reads an input, which sets exactly one platform.
func (s side) chosen(input json.RawMessage) (kind, fields, error) {
	var byField map[string]fields
	if err := json.Unmarshal(input, &byField); err != nil {
		return kind{}, nil, fmt.Errorf("read the settings of a %s: %w", s.name, err)
	}
	if len(byField) != 1 {
		return kind{}, nil, fault.New(fault.Blank, "choose exactly one platform")
	}
	for field, given := range byField {
		i := slices.IndexFunc(s.kinds, func(k kind) bool { return k.field == field })
		if i < 0 {
			return kind{}, nil, under(field, fault.New(fault.Invalid, "a %s cannot be reached so; choose another platform", s.name))
		}
		return s.kinds[i], given, nil
	}
	return kind{}, nil, nil
}

// change makes of an input what is stored, filling in what an update leaves out. check is given the settings with their
// secrets, under the platform's field.
func (p *Platforms) change(s side, merchantID int64, input json.RawMessage, old *stored, check func(json.RawMessage) error) (out database.PlatformSettings, err error) {
	k, in, err := s.chosen(input)
	if err != nil {
		return out, err
	}
	if old != nil && old.platform == k.platform {
		if err := p.keep(s, k, in, old); err != nil {
			return out, under(k.field, err)
		}
	}
	for name, v := range in {
		if bytes.Equal(v, []byte("null")) {
			delete(in, name)
		}
	}
	for name, v := range k.unset {
		if _, set := in[name]; !set {
			in[name] = v
		}
	}
	whole, err := json.Marshal(map[string]fields{k.field: in})
	if err == nil {
		err = under(k.field, check(whole))
	}
	if err != nil {
		return out, err
	}
	return p.split(s, k, merchantID, in)
}

// keep fills in what an input leaves out and the row has, where it leads to the same place. Secrets that can no longer be
// opened must be entered again: then it answers why they cannot.
func (p *Platforms) keep(s side, k kind, in fields, old *stored) error {
	before, locked, err := p.join(s, *old)
	if err != nil {
		return err
	}
	for _, name := range k.leads {
		if !samePlace(in[name], before[name]) {
			return nil
		}
	}
	for _, name := range slices.Concat(k.secrets, k.pins) {
		if _, given := in[name]; given {
			continue
		}
		if locked != nil && HasSecret(old.settings, name) {
			return locked
		}
		if v, ok := before[name]; ok {
			in[name] = v
		}
	}
	return nil
}

// samePlace tells whether two settings lead to the same host: addresses by scheme, host and port, other settings as they are
// written.
func samePlace(a, b json.RawMessage) bool {
	place := func(raw json.RawMessage) string {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return string(raw)
		}
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			return u.Scheme + "://" + u.Host
		}
		return text
	}
	return place(a) == place(b)
}

// split parts settings into what is stored in the open and what is sealed.
func (p *Platforms) split(s side, k kind, merchantID int64, in fields) (out database.PlatformSettings, err error) {
	secrets := fields{}
	var names []string
	for _, name := range k.secrets {
		if v, ok := in[name]; ok && string(v) != `""` {
			secrets[name] = v
			names = append(names, name)
		}
		delete(in, name)
	}
	out.Platform = k.platform
	out.Secrets = []byte{}
	if len(names) > 0 {
		list, err := json.Marshal(names)
		if err != nil {
			return out, fmt.Errorf("store the settings of a %s: %w", s.name, err)
		}
		in[SecretsKey] = list
		plain, err := json.Marshal(secrets)
		if err != nil {
			return out, fmt.Errorf("store the secrets of a %s: %w", s.name, err)
		}
		out.Secrets = p.cfg.Sealer.Seal(s.place(merchantID), plain)
	}
	if out.Settings, err = json.Marshal(in); err != nil {
		return out, fmt.Errorf("store the settings of a %s: %w", s.name, err)
	}
	return out, nil
}

// join puts stored settings together with their secrets. locked is why the secrets cannot be opened, nil if they can.
func (p *Platforms) join(s side, row stored) (all fields, locked, err error) {
	if err := json.Unmarshal(row.settings, &all); err != nil {
		return nil, nil, fmt.Errorf("read the settings of a %s: %w", s.name, err)
	}
	delete(all, SecretsKey)
	if len(row.sealed) == 0 {
		return all, nil, nil
	}
	plain, err := p.cfg.Sealer.Open(s.place(row.merchantID), row.sealed)
	if err != nil {
		return all, err, nil
	}
	if err := json.Unmarshal(plain, &all); err != nil {
		return nil, nil, fmt.Errorf("read the secrets of a %s: %w", s.name, err)
	}
	return all, nil, nil
}

// read reads how a row is reached into a Store or Warehouse.
func (p *Platforms) read(s side, row stored, into any) error {
	k, err := s.kind(row.platform)
	if err != nil {
		return err
	}
	all, locked, err := p.join(s, row)
	if err == nil {
		err = locked
	}
	if err != nil {
		return err
	}
	whole, err := json.Marshal(map[string]fields{k.field: all})
	if err == nil {
		err = json.Unmarshal(whole, into)
	}
	if err != nil {
		return fmt.Errorf("read the settings of a %s: %w", s.name, err)
	}
	return nil
}

// HasSecret tells from stored settings whether a secret ("password", "token", …) is set.
func HasSecret(settings json.RawMessage, name string) bool {
	var s struct{ Secrets []string }
	return json.Unmarshal(settings, &s) == nil && slices.Contains(s.Secrets, name)
}

// Shown is what may be told of stored settings, with "hasToken": true for a secret token that is set.
func Shown(settings json.RawMessage) (json.RawMessage, error) {
	var all fields
	if err := json.Unmarshal(settings, &all); err != nil {
		return nil, fmt.Errorf("read the settings of a platform: %w", err)
	}
	var names []string
	if list, ok := all[SecretsKey]; ok {
		if err := json.Unmarshal(list, &names); err != nil {
			return nil, fmt.Errorf("read the settings of a platform: %w", err)
		}
	}
	delete(all, SecretsKey)
	for _, name := range names {
		all["has"+strings.ToUpper(name[:1])+name[1:]] = json.RawMessage("true")
	}
	return json.Marshal(all)
}

// strict reads settings that must all be known: what is not would be lost in silence.
func strict(settings json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(settings))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// under puts the faults in err below a field.
func under(field string, err error) error {
	var list fault.List
	switch f := err.(type) { //nolint:errorlint // what is wrapped has told its field already
	case nil:
		return nil
	case *fault.Error:
		list = fault.List{f}
	case fault.List:
		list = f
	default:
		return err
	}
	out := make(fault.List, len(list))
	for i, f := range list {
		told := *f
		told.Field = slices.Concat([]string{field}, f.Field)
		out[i] = &told
	}
	return out
}
