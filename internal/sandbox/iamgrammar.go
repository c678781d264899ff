package sandbox

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// How IAM words what it refuses to store. The findings are the policy engine's;
// IAM names the first one.

func malformedDocument(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "MalformedPolicyDocument", format, args...)
}

// checkDocument refuses a policy that IAM refuses for its grammar.
func checkDocument(text string, kind iampolicy.Kind) error {
	if err := checkGrammar(text, kind); err != nil {
		return err
	}
	for _, f := range iampolicy.LintText([]byte(text), kind) {
		if f.Code == "POL003" && kind == iampolicy.KindIdentity {
			return malformedDocument("Policy document must be version 2012-10-17 or greater.")
		}
	}
	return nil
}

// checkGrammar is checkDocument for policies that need no version.
func checkGrammar(text string, kind iampolicy.Kind) error {
	for _, f := range iampolicy.LintText([]byte(text), kind) {
		if f.Severity == iampolicy.SeverityError {
			return malformedDocument("%s", grammarText(f))
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
		return iamPrincipalTip + fmt.Sprintf("%q:%q", "AWS", quoted)
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
	case "POL001":
		if strings.Contains(f.Message, "JSON") {
			return "This policy contains invalid Json"
		}
	}
	return "Syntax errors in policy."
}
