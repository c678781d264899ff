package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// StoredPolicy is a policy with principals. It keeps the roles and users that it names by
// unique id, as AWS does: when one is deleted, the document shows the id, and a new
// entity of the same name is another principal.
type StoredPolicy struct {
	text  string
	named []namedPrincipal // in order of position

	// The document as it was read last, and IAM's generation at that time.
	current    string
	Doc        *iampolicy.Document
	generation uint64
}

// namedPrincipal is a string literal in the text that names a role or user.
type namedPrincipal struct {
	start, end int // of the literal with its quotes
	id         string
}

var (
	// ErrInvalidPrincipal is returned for a policy that names a principal that does not exist.
	ErrInvalidPrincipal = errors.New("invalid principal in policy")
	// UniqueIDPattern matches the unique ids of roles and users.
	UniqueIDPattern = regexp.MustCompile(`^A(ROA|IDA)[A-Z0-9]{12,}$`)
)

// StorePolicy parses text and resolves its principals. An unknown principal gives
// ErrInvalidPrincipal.
func (s *Service) StorePolicy(text string) (*StoredPolicy, error) {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return s.storePolicyLocked(text)
}

// PolicyNow gives a stored policy's text and document as of now; "" and nil for nil.
// The caller holds the lock of the service that keeps the policy, for writing.
func (s *Service) PolicyNow(p *StoredPolicy) (string, *iampolicy.Document) {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return s.PolicyNowLocked(p)
}

// ResolvePrincipal checks that a principal exists and returns the unique id
// that it is kept by; empty for accounts, services and the like.
func (s *Service) ResolvePrincipal(kind, value string) (string, error) {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return s.resolvePrincipalLocked(kind, value)
}

// ARNOf returns the ARN of a role or user by its unique id; empty for one that is deleted.
func (s *Service) ARNOf(id string) string {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return s.ids[id].arn
}

// storePolicyLocked parses text and resolves its principals. The caller holds mu.
// An unknown principal gives ErrInvalidPrincipal.
func (s *Service) storePolicyLocked(text string) (*StoredPolicy, error) {
	p := &StoredPolicy{text: text}
	literals, err := principalLiterals([]byte(text))
	if err != nil {
		return nil, err
	}
	for _, l := range literals {
		id, err := s.resolvePrincipalLocked(l.kind, l.value)
		if err != nil {
			return nil, err
		}
		if id != "" {
			p.named = append(p.named, namedPrincipal{l.start, l.end, id})
		}
	}
	if p.current, p.Doc, err = s.readLocked(p); err != nil {
		return nil, err
	}
	p.generation = s.generation
	return p, nil
}

// readLocked renders the document as of now. The caller holds mu.
func (s *Service) readLocked(p *StoredPolicy) (string, *iampolicy.Document, error) {
	var b strings.Builder
	at := 0
	for _, n := range p.named {
		name := n.id
		if e, ok := s.ids[n.id]; ok {
			name = e.arn
		}
		b.WriteString(p.text[at:n.start])
		b.WriteString(`"` + name + `"`)
		at = n.end
	}
	b.WriteString(p.text[at:])
	doc, err := iampolicy.Parse([]byte(b.String()))
	return b.String(), doc, err
}

// PolicyNowLocked gives a stored policy's text and document as of now; "" and nil for nil.
// The caller holds mu for writing.
func (s *Service) PolicyNowLocked(p *StoredPolicy) (string, *iampolicy.Document) {
	if p == nil {
		return "", nil
	}
	if p.generation == s.generation {
		return p.current, p.Doc
	}
	// Cannot fail: the text parsed when it was stored, and ids need no escaping.
	text, doc, err := s.readLocked(p)
	if err != nil {
		return p.current, p.Doc
	}
	p.current, p.Doc, p.generation = text, doc, s.generation
	return text, doc
}

// resolvePrincipalLocked checks that a principal exists and returns the unique id
// that it is kept by; empty for accounts, services and the like.
func (s *Service) resolvePrincipalLocked(kind, value string) (string, error) {
	bad := fmt.Errorf("%w: %q:%q", ErrInvalidPrincipal, kind, value)
	switch kind {
	case "Service":
		if !strings.HasSuffix(value, ".amazonaws.com") || strings.ContainsAny(value, "*? ") {
			return "", bad
		}
		return "", nil
	case "AWS":
	case "CanonicalUser":
		return "", nil
	case "Federated":
		// The public providers always exist; an account's own have to be there.
		arn, ok := awsarn.Split(value)
		if ok && (s.accounts[arn.Account] == nil || s.accounts[arn.Account].providers[value] == nil) {
			return "", bad
		}
		return "", nil
	default:
		return "", bad
	}
	if value == "*" {
		return "", nil
	}
	if kernel.AccountPattern.MatchString(value) {
		if s.accounts[value] == nil {
			return "", bad
		}
		return "", nil
	}
	if UniqueIDPattern.MatchString(value) {
		if _, ok := s.ids[value]; !ok {
			return "", bad
		}
		return value, nil
	}
	arn, ok := awsarn.Split(value)
	if !ok || arn.Partition != "aws" || arn.Region != "" {
		return "", bad
	}
	acct := s.accounts[arn.Account]
	if acct == nil {
		return "", bad
	}
	switch {
	case arn.Service == "iam" && arn.Resource == "root":
		return "", nil
	case arn.Is("iam", "role"):
		for _, r := range acct.roles {
			if r.arn == value {
				return r.ID, nil
			}
		}
	case arn.Is("iam", "user"):
		for _, u := range acct.users {
			if u.arn == value {
				return u.ID, nil
			}
		}
	case arn.Is("sts", "assumed-role"):
		if seg := strings.Split(arn.Resource, "/"); len(seg) == 3 && acct.roles[seg[1]] != nil && !strings.ContainsAny(seg[2], "*?") {
			return "", nil
		}
	}
	return "", bad
}

type principalLiteral struct {
	kind, value string
	start, end  int
}

// principalLiterals finds the strings under Statement[].Principal and NotPrincipal, with
// their places in the text. It ignores other mistakes, which iampolicy.Parse finds.
func principalLiterals(text []byte) ([]principalLiteral, error) {
	var out []principalLiteral
	dec := json.NewDecoder(bytes.NewReader(text))
	var path []string
	var walk func() error
	walk = func() error {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		end := int(dec.InputOffset())
		switch t := tok.(type) {
		case json.Delim:
			if len(path) > 64 {
				return errors.New("policy is nested too deeply")
			}
			for dec.More() {
				if t == '{' {
					name, err := dec.Token()
					if err != nil {
						return err
					}
					key, ok := name.(string)
					if !ok {
						return errors.New("policy has a field without a name")
					}
					path = append(path, key)
				} else {
					path = append(path, "")
				}
				if err := walk(); err != nil {
					return err
				}
				path = path[:len(path)-1]
			}
			if _, err := dec.Token(); err != nil {
				return err
			}
		case string:
			if kind, ok := principalKind(path); ok {
				// The literal ends here; its start is the quote that opens it.
				raw, err := literalStart(text, end)
				if err != nil {
					return err
				}
				out = append(out, principalLiteral{kind, t, raw, end})
			}
		}
		return nil
	}
	if err := walk(); err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].start < out[j].start })
	return out, nil
}

// principalKind reports whether a path of fields (array elements are "") leads to a
// principal, and returns the kind.
func principalKind(path []string) (string, bool) {
	var fields []string
	for _, p := range path {
		if p != "" {
			fields = append(fields, p)
		}
	}
	if len(fields) < 2 || fields[0] != "Statement" || (fields[1] != "Principal" && fields[1] != "NotPrincipal") {
		return "", false
	}
	switch len(fields) {
	case 2:
		return "AWS", true // "Principal": "*"
	case 3:
		return fields[2], true
	}
	return "", false
}

// literalStart walks back from the end of a JSON string literal to its opening quote.
func literalStart(text []byte, end int) (int, error) {
	for i := end - 2; i >= 0; i-- {
		if text[i] != '"' {
			continue
		}
		slashes := 0
		for j := i - 1; j >= 0 && text[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i, nil
		}
	}
	return 0, errors.New("policy has a string without a start")
}
