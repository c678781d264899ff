package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// liftDeny returns the change after which a Deny statement no longer applies to the
// delivery. The statement keeps its effect on every other caller: verify adds an
// exception for the role, and never edits the values or the purpose of the statement.
func (x *fixes) liftDeny(f finding, sc iampolicy.Scenario, s statementParts) report.Fix {
	keys := s.keys()
	where := fmt.Sprintf("statement %s of %s", statementName(f.Statement), describeDocument(f))
	var text string
	switch {
	case f.Artefact == report.ArtefactTrust && slices.Contains(keys, "sts:externalid"):
		f.NearMisses = []report.NearMiss{{Want: s.values("sts:externalid")}}
		return x.externalIDFix(f)
	case f.Artefact == report.ArtefactTrust && strings.HasPrefix(x.source, "arn:"):
		s.except(awsarn.Role(x.source))
		text = "Except the identity of the daemon. The statement keeps its effect on every other caller."
	case ownLayer(f.Artefact) && strings.HasPrefix(sc.Request.Action, "kms:") && slices.ContainsFunc(keys, isNetworkKey):
		s.require("BoolIfExists", "aws:ViaAWSService", "false")
		text = "Except the calls that AWS services make for the role."
	case f.Artefact == report.ArtefactBucketPolicy || f.Artefact == report.ArtefactKeyPolicy || f.Artefact == report.ArtefactSCP ||
		f.Artefact == report.ArtefactRCP:
		s.except(x.dest.Role)
		text = "Except the role. The statement keeps its effect on every other caller."
		if f.Code == causeBucketACL {
			text += " With BucketOwnerEnforced the bucket's owner does not need this ACL."
		}
	default:
		return x.removeStatement(f, fmt.Sprintf("Narrow %s so that it does not deny %s, or remove it.", where, sc.Request.Action))
	}
	patch, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return report.Fix{}
	}
	return x.replaceStatement(f, f.Statement, patch, text+" Replace "+where+" by this one.")
}

// ownLayer reports whether a kind of policy applies to its principal alone.
func ownLayer(kind string) bool {
	switch kind {
	case report.ArtefactIdentity, report.ArtefactSourcePolicy, report.ArtefactBoundary, report.ArtefactSessionPolicy:
		return true
	}
	return false
}

// require adds a condition to a statement.
func (s *statementParts) require(operator, key, value string) {
	if s.Condition == nil {
		s.Condition = map[string]map[string]json.RawMessage{}
	}
	if s.Condition[operator] == nil {
		s.Condition[operator] = map[string]json.RawMessage{}
	}
	s.Condition[operator][key] = json.RawMessage(`"` + value + `"`)
}
