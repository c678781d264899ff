package sandbox

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Guardrails are what an organization puts around an account. The accounts
// cannot see or change them, as on AWS: they are set from outside.
type Guardrails struct {
	// OrganizationID is the account's organization, "o-…"; empty: none.
	OrganizationID string `json:"organization_id,omitempty"`
	// ServiceControl are the SCPs of the account: the most that its principals
	// may do. Without any, nothing is limited. The root user is not exempt.
	ServiceControl []string `json:"service_control,omitempty"`
	// ResourceControl are the RCPs of the account, for its S3, STS and KMS
	// resources and any caller. RCPFullAWSAccess is always there.
	ResourceControl []string `json:"resource_control,omitempty"`
}

// guardrails are Guardrails that were parsed.
type guardrails struct {
	given            Guardrails
	service, control []iampolicy.LevelPolicies
}

var organizationPattern = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)

const fullAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

// parseGuardrails checks and parses guardrails.
func parseGuardrails(g Guardrails) (*guardrails, error) {
	if g.OrganizationID != "" && !organizationPattern.MatchString(g.OrganizationID) {
		return nil, fmt.Errorf("organization id %q: want o- and 10 to 32 small letters and digits", g.OrganizationID)
	}
	if g.OrganizationID == "" && len(g.ServiceControl)+len(g.ResourceControl) > 0 {
		return nil, errors.New("service and resource control policies come from an organization: give its id")
	}
	parsed := &guardrails{given: g}
	var err error
	if parsed.service, err = levelPolicies(g.ServiceControl, iampolicy.KindServiceControl); err != nil {
		return nil, err
	}
	parsed.control, err = levelPolicies(g.ResourceControl, iampolicy.KindResourceCtrl)
	return parsed, err
}

// SetGuardrails replaces the guardrails of account A or B.
func (s *Sandbox) SetGuardrails(account string, g Guardrails) error {
	parsed, err := parseGuardrails(g)
	if err != nil {
		return err
	}
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	acct := w.accounts[account]
	if acct == nil {
		return fmt.Errorf("account %s is neither A nor B", account)
	}
	acct.guard = parsed
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

// guard puts the organizations' policies and condition keys into a scenario. The caller holds mu.
func (w *world) guard(sc *iampolicy.Scenario, callerAccount, owner string) {
	if acct := w.accounts[callerAccount]; acct != nil && acct.guard != nil {
		sc.Policies.ServiceControl = acct.guard.service
		if id := acct.guard.given.OrganizationID; id != "" {
			sc.Request.Context["aws:PrincipalOrgID"] = []string{id}
		}
	}
	if acct := w.accounts[owner]; acct != nil && acct.guard != nil {
		sc.Policies.ResourceControl = acct.guard.control
		if id := acct.guard.given.OrganizationID; id != "" {
			sc.Request.Context["aws:ResourceOrgID"] = []string{id}
		}
	}
}

// sameOrganization reports whether two accounts are one or belong together:
// then AWS explains its denials. The caller holds mu.
func (w *world) sameOrganization(a, b string) bool {
	if a == b {
		return true
	}
	x, y := w.accounts[a], w.accounts[b]
	return x != nil && y != nil && x.guard != nil && y.guard != nil && x.guard.given.OrganizationID != "" && x.guard.given.OrganizationID == y.guard.given.OrganizationID
}
