package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/setup"
)

// artefact is one thing in one account, as it should be. Fields without a use for
// its kind are left out.
type artefact struct {
	Half    Half   `json:"half"`
	Account string `json:"account"`
	Kind    string `json:"kind"` // role, source-policy, key-policy, bucket, trail
	ARN     string `json:"arn"`
	Region  string `json:"region,omitempty"`

	Trust             *setup.Policy `json:"trust_policy,omitempty"`
	InlineName        string        `json:"inline_policy_name,omitempty"`
	Inline            *setup.Policy `json:"inline_policy,omitempty"`
	Boundary          string        `json:"permissions_boundary,omitempty"`
	MaxSessionSeconds int           `json:"max_session_seconds,omitempty"`

	// Statements go into a policy that others share, by Sid.
	Statements   []setup.Statement     `json:"statements,omitempty"`
	Create       bool                  `json:"create,omitempty"`
	Encryption   *setup.Encryption     `json:"default_encryption,omitempty"`
	Ownership    string                `json:"object_ownership,omitempty"`
	PublicAccess *setup.PublicAccess   `json:"public_access_block,omitempty"`
	Lifecycle    []setup.LifecycleRule `json:"lifecycle_rules,omitempty"`
	Logging      *setup.Logging        `json:"access_logs,omitempty"`
	Objects      []string              `json:"data_events,omitempty"`

	Destinations []string `json:"destinations"`
}

func (w *writer) artefacts() []artefact {
	var out []artefact
	if w.half.has(Source) {
		for _, r := range w.Roles {
			a := artefact{
				Half:              Source,
				Account:           r.Account,
				Kind:              "role",
				ARN:               r.ARN,
				Trust:             &r.Trust,
				Boundary:          r.Boundary,
				MaxSessionSeconds: int(r.MaxSession / time.Second),
				Destinations:      r.Destinations,
			}
			if !r.Inline.Empty() {
				a.InlineName, a.Inline = setup.InlineName, &r.Inline
			}
			out = append(out, a)
		}
		for _, s := range w.Sources {
			if !s.Inline.Empty() {
				out = append(
					out,
					artefact{
						Half:         Source,
						Account:      s.Account,
						Kind:         "source-policy",
						ARN:          s.ARN,
						InlineName:   setup.InlineName,
						Inline:       &s.Inline,
						Destinations: s.Destinations,
					},
				)
			}
		}
	}
	if w.half.has(Target) {
		for _, k := range w.Keys {
			out = append(
				out,
				artefact{
					Half:         Target,
					Account:      k.Account,
					Kind:         "key-policy",
					ARN:          k.ARN,
					Region:       k.Region,
					Statements:   k.Policy.Statement,
					Destinations: k.Destinations,
				},
			)
		}
		for _, b := range w.Buckets {
			out = append(out, artefact{
				Half: Target, Account: b.Account, Kind: "bucket", ARN: b.ARN, Region: b.Region, Create: b.Create, Statements: b.Policy.Statement,
				Encryption: &b.Encryption, Ownership: b.Ownership, PublicAccess: &b.PublicAccess, Lifecycle: b.Lifecycle, Logging: b.Logging,
				Destinations: b.Destinations,
			})
		}
		for _, t := range w.Trails {
			out = append(
				out,
				artefact{
					Half:         Target,
					Account:      t.Account,
					Kind:         "trail",
					ARN:          t.ARN,
					Region:       t.Region,
					Objects:      t.Objects,
					Destinations: t.Destinations,
				},
			)
		}
	}
	return out
}

func (w *writer) json() ([]File, error) {
	data, err := indented(map[string]any{"artefacts": w.artefacts()})
	if err != nil {
		return nil, err
	}
	return []File{{Name: "brokerd-setup.json", Mode: 0o644, Data: data}}, nil
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("writing the arrangement: %w", err)
	}
	return b.Bytes(), nil
}
