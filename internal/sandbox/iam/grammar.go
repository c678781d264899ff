package iam

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// IAM's errors for policies that it refuses. The policy engine finds the mistakes;
// IAM names the first one.

// MalformedDocument is the error for a policy that breaks the grammar.
func MalformedDocument(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "MalformedPolicyDocument", format, args...)
}

// checkDocument refuses a policy that IAM refuses for its grammar.
func checkDocument(text string, kind iampolicy.Kind) error {
	if err := CheckGrammar(text, kind); err != nil {
		return err
	}
	for _, f := range iampolicy.LintText([]byte(text), kind) {
		if f.Code == "POL003" && kind == iampolicy.KindIdentity {
			return MalformedDocument("Policy document must be version 2012-10-17 or greater.")
		}
	}
	return nil
}

// CheckGrammar is checkDocument for policies that need no version.
func CheckGrammar(text string, kind iampolicy.Kind) error {
	for _, f := range iampolicy.LintText([]byte(text), kind) {
		if f.Severity == iampolicy.SeverityError {
			if kind == iampolicy.KindTrust && !json.Valid([]byte(text)) {
				return MalformedDocument("This policy contains invalid Json")
			}
			return MalformedDocument("%s", grammarText(f))
		}
	}
	return nil
}

func grammarText(f iampolicy.Finding) string {
	quoted := ""
	if _, rest, ok := strings.Cut(f.Message, `"`); ok {
		quoted, _, _ = strings.Cut(rest, `"`)
	}
	switch f.Code {
	case "POL005":
		return "Statement IDs (SID) in a single policy must be unique."
	case "POL010":
		return "Missing required field Principal"
	case "POL011":
		return "Policy document should not specify a principal."
	case "POL013":
		return "Has prohibited field NotPrincipal"
	case "POL018", "POL019", "POL020":
		return principalTip + fmt.Sprintf("%q:%q", "AWS", quoted)
	case "POL021":
		return "Policy statement must contain actions."
	case "POL022", "POL023":
		return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	case "POL024":
		return "AssumeRole policy may only specify STS AssumeRole actions."
	case "POL030", "POL032":
		return "Policy statement must contain resources."
	case "POL031":
		return "Has prohibited field Resource"
	case "POL033":
		return "Resource " + quoted + " must be in ARN format or \"*\"."
	case "POL035":
		return "Partition \"" + quoted + "\" is not valid for resource."
	}
	return "Syntax errors in policy."
}
