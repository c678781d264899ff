package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Guardrails are the policies that an organization puts around an account. The accounts
// cannot read or change them, as on AWS: they are set from outside.
type Guardrails struct {
	// OrganizationID is the account's organization, "o-…"; empty: none.
	OrganizationID string `json:"organization_id,omitempty"`
	// ServiceControl are the account's service control policies (SCPs), which limit its
	// principals, the root user included. Without any, there is no limit.
	ServiceControl []string `json:"service_control,omitempty"`
	// ResourceControl are the account's resource control policies (RCPs), for its S3, STS
	// and KMS resources and any caller. RCPFullAWSAccess is always attached.
	ResourceControl []string `json:"resource_control,omitempty"`
}

// parsedGuardrails are Guardrails that were parsed.
type parsedGuardrails struct {
	account          string
	given            Guardrails
	service, control []iampolicy.LevelPolicies
}

var organizationPattern = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)

const fullAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

// parseGuardrails checks and parses guardrails.
func parseGuardrails(g Guardrails) (*parsedGuardrails, error) {
	if g.OrganizationID != "" && !organizationPattern.MatchString(g.OrganizationID) {
		return nil, fmt.Errorf("organization id %q: want o- and 10 to 32 lowercase letters and digits", g.OrganizationID)
	}
	if g.OrganizationID == "" && len(g.ServiceControl)+len(g.ResourceControl) > 0 {
		return nil, errors.New("service and resource control policies come from an organization: give its id")
	}
	parsed := &parsedGuardrails{given: g}
	var err error
	if parsed.service, err = levelPolicies(g.ServiceControl, iampolicy.KindServiceControl); err != nil {
		return nil, err
	}
	parsed.control, err = levelPolicies(g.ResourceControl, iampolicy.KindResourceCtrl)
	return parsed, err
}

// SetGuardrails replaces the guardrails of an account.
func (k *Kernel) SetGuardrails(account string, g Guardrails) error {
	parsed, err := parseGuardrails(g)
	if err != nil {
		return err
	}
	if !k.HasAccount(account) {
		return fmt.Errorf("account %s does not exist in the sandbox: use account A or B", account)
	}
	k.networkMu.Lock()
	defer k.networkMu.Unlock()
	parsed.account = account
	k.guards[account] = parsed
	return nil
}

// guardrailsOf returns the guardrails of an account; nil for none.
func (k *Kernel) guardrailsOf(account string) *parsedGuardrails {
	k.networkMu.RLock()
	defer k.networkMu.RUnlock()
	return k.guards[account]
}

// ServiceControl returns the service control policies of an account; nil for none.
func (k *Kernel) ServiceControl(account string) []iampolicy.LevelPolicies {
	if g := k.guardrailsOf(account); g != nil {
		return g.service
	}
	return nil
}

func levelPolicies(texts []string, kind iampolicy.Kind) ([]iampolicy.LevelPolicies, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	level := iampolicy.LevelPolicies{Level: "account"}
	for i, text := range texts {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s policy %d: %w", kind, i, err)
		}
		level.Policies = append(level.Policies, iampolicy.NamedPolicy{Name: fmt.Sprintf("%s-%d", kind, i), Policy: doc})
	}
	return []iampolicy.LevelPolicies{level}, nil
}

// guard puts the organizations' policies and condition keys into a scenario.
func (k *Kernel) guard(sc *iampolicy.Scenario, callerAccount, owner string) {
	if g := k.guardrailsOf(callerAccount); g != nil {
		sc.Policies.ServiceControl = g.service
		if id := g.given.OrganizationID; id != "" {
			sc.Request.Context["aws:PrincipalOrgID"] = []string{id}
		}
	}
	if g := k.guardrailsOf(owner); g != nil {
		sc.Policies.ResourceControl = g.control
		if id := g.given.OrganizationID; id != "" {
			sc.Request.Context["aws:ResourceOrgID"] = []string{id}
		}
	}
}

// SameOrganization reports whether two accounts are the same account or belong
// to the same organization: then AWS explains its denials.
func (k *Kernel) SameOrganization(a, b string) bool {
	if a == b {
		return true
	}
	x, y := k.guardrailsOf(a), k.guardrailsOf(b)
	return x != nil && y != nil && x.given.OrganizationID != "" && x.given.OrganizationID == y.given.OrganizationID
}

type savedOrganization struct{ Accounts []savedGuardrails }

type savedGuardrails struct {
	ID    string
	Guard *Guardrails `json:",omitempty"`
}

// Snapshot renders the guardrails of all accounts.
func (k *Kernel) Snapshot() (json.RawMessage, error) {
	k.networkMu.RLock()
	defer k.networkMu.RUnlock()
	return json.Marshal(
		savedOrganization{Sorted(k.guards, func(g *parsedGuardrails) savedGuardrails { return savedGuardrails{g.account, &g.given} })},
	)
}

// Restore replaces the guardrails with those of a snapshot.
func (k *Kernel) Restore(data json.RawMessage) error {
	var saved savedOrganization
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the guardrails: %w", err)
	}
	for _, a := range saved.Accounts {
		if a.Guard == nil {
			continue
		}
		if err := k.SetGuardrails(a.ID, *a.Guard); err != nil {
			return fmt.Errorf("guardrails of account %s: %w", a.ID, err)
		}
	}
	return nil
}
