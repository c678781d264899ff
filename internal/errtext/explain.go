package errtext

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
)

// Explanation is what an error means and where to look.
type Explanation struct {
	Kind Kind
	// Cause is one clause. Page is the code of its page, for `brokerctl explain`.
	Cause string
	Page  string
	Layer awserr.Layer
	Side  awserr.Side
	// Account is the id of the account of the cause, if the text tells it. AccountText
	// says whose account it is.
	Account     string
	AccountText string
	// Reason says how the policies refuse, in AWS's words; "" for other kinds.
	Reason string
	// LookAt are the places to look at, the most probable first.
	LookAt []string
}

// Explain returns the meaning of e. It claims nothing that the text does not say.
func Explain(e Error) Explanation {
	code := strings.TrimPrefix(strings.TrimPrefix(e.Code, "KMS."), "Client.")
	said := e.Message
	if e.Code != "" {
		said = firstSentence(said)
	}
	if c := sentenceOf(said); c != nil && e.Denial.Action == "" && fits(code, c.kind) {
		return general(e, *c)
	}
	if e.Denial.Action == "" && code != "" && !IsRefusal(code) {
		if c, ok := codeCauses[code]; ok {
			return general(e, c)
		}
		return general(e, classCause(e.Code, e.Status))
	}
	if e.Denial.Action == "" && code == "" && e.Status != 403 && e.Status != 0 {
		return general(e, statusCause(e.Status))
	}
	return refusal(e)
}

// fits reports whether a sentence can decide about a code. AWS answered a call that has a
// code, and some codes have one meaning.
func fits(code string, kind Kind) bool {
	if code != "" && kind == KindNetwork {
		return false
	}
	switch known := codeCauses[code].kind; known {
	case KindKeyState, KindNotFound, KindThrottle:
		return kind == known
	}
	return true
}

// general explains an error that no policy layer is known for.
func general(e Error, c cause) Explanation {
	x := Explanation{Kind: c.kind, Cause: c.what, Page: c.page, LookAt: []string{c.next}}
	switch c.kind {
	case KindKeyState:
		x.Side, x.Account, x.AccountText = awserr.SideB, e.OwnerAccount, account(e.OwnerAccount, "the account of the key")
	case KindCredentials, KindClock, KindNetwork:
		x.Side, x.Account, x.AccountText = awserr.SideA, e.CallerAccount, account(e.CallerAccount, "the caller's account")
	}
	return x
}

func statusCause(status int) cause {
	if status == 404 {
		return codeCauses["NotFound"]
	}
	return classCause("", status)
}

// account names an account by its id, if the text has it, and by whose it is.
func account(id, whose string) string {
	if id == "" {
		return whose + "; the text does not give its id"
	}
	return id + ", " + whose
}

// refusal explains a refusal by a policy, as far as the text tells.
func refusal(e Error) Explanation {
	d := e.Denial
	x := Explanation{Kind: KindPolicy, Layer: d.Layer, Side: d.Side, Reason: reason(e), Page: page(e)}
	switch d.Layer {
	case awserr.LayerIdentity, awserr.LayerBoundary, awserr.LayerSession, awserr.LayerSCP:
		x.Account, x.AccountText = e.CallerAccount, account(e.CallerAccount, "the caller's account")
	case awserr.LayerVPCEndpoint:
		x.AccountText = account("", "the account of the VPC endpoint")
	case awserr.LayerTrust:
		x.Account, x.AccountText = e.OwnerAccount, account(e.OwnerAccount, "the account of the role")
	case awserr.LayerResource, awserr.LayerKeyPolicy, awserr.LayerRCP, awserr.LayerPublicAccess:
		x.Account, x.AccountText = e.OwnerAccount, account(e.OwnerAccount, "the account of "+resourceName(e))
	default:
		x.Account, x.AccountText = unnamedAccount(e)
		if strings.HasPrefix(d.Action, "sts:AssumeRoleWith") { // the caller has no account
			x.Account, x.AccountText = e.OwnerAccount, account(e.OwnerAccount, "the account of the role")
		}
	}
	x.Cause, x.LookAt = causeOf(e), lookAt(e)
	return x
}

// unnamedAccount is the account of a refusal that names no layer: either side's, unless
// both are one account.
func unnamedAccount(e Error) (id, text string) {
	caller, owner := e.CallerAccount, e.OwnerAccount
	switch {
	case caller == "" && owner == "":
		return "", "not said"
	case caller == owner:
		return caller, caller + ", the account of the caller and of " + resourceName(e)
	case owner == "":
		return "", "not said; the caller's is " + caller
	case caller == "":
		return "", "not said; the account of " + resourceName(e) + " is " + owner
	}
	return "", "not said; the caller's is " + caller + ", the account of " + resourceName(e) + " is " + owner
}

// reason says how the policies refuse. The text decides, never a guess.
func reason(e Error) string {
	switch {
	case e.Denial.Layer == awserr.LayerPublicAccess:
		return "S3 Block Public Access refuses (stated by AWS)"
	case e.Denial.Explicit:
		return "a statement denies it (stated by AWS)"
	case e.Stated:
		return "no statement allows it (stated by AWS)"
	case e.Denial.Layer == awserr.LayerKeyPolicy:
		return "KMS gives three alternatives: no such key in this Region, no statement allows it, or a statement denies it"
	default:
		return "AWS does not say whether a statement denies it or none allows it"
	}
}

func resourceName(e Error) string {
	switch {
	case e.Service == "kms":
		return "the key"
	case strings.HasPrefix(e.Denial.Action, "sts:AssumeRole") || e.Role != "" || strings.HasPrefix(e.Operation, "AssumeRole"):
		return "the role"
	case e.Bucket != "":
		return "the bucket " + e.Bucket
	case e.Service == "s3":
		return "the bucket"
	}
	return "the resource"
}

var layerNouns = map[awserr.Layer]string{
	awserr.LayerIdentity: "an identity policy of the caller", awserr.LayerResource: "the policy of %s",
	awserr.LayerBoundary: "the permissions boundary", awserr.LayerSession: "the session policy", awserr.LayerSCP: "a service control policy",
	awserr.LayerRCP: "a resource control policy", awserr.LayerVPCEndpoint: "the policy of the VPC endpoint",
	awserr.LayerPublicAccess: "S3 Block Public Access", awserr.LayerTrust: "the trust policy of the role",
	awserr.LayerKeyPolicy: "the key policy, or the choice of the key",
}

func causeOf(e Error) string {
	action := cmp.Or(e.Denial.Action, actionOf(e), "the request")
	noun := layerNouns[e.Denial.Layer]
	if strings.Contains(noun, "%s") {
		noun = fmt.Sprintf(noun, resourceName(e))
	}
	switch {
	case noun == "":
		return action + " was refused; the text names no policy"
	case e.Denial.Explicit && e.Denial.Layer != awserr.LayerPublicAccess:
		return noun + " denies " + action
	case e.Stated && e.Denial.Layer != awserr.LayerPublicAccess:
		return noun + " does not allow " + action
	}
	return noun + " refuses " + action
}

func actionOf(e Error) string {
	if e.Service == "" || e.Operation == "" {
		return e.Operation
	}
	return e.Service + ":" + e.Operation
}

// page returns the code of the page for a refusal.
func page(e Error) string {
	d := e.Denial
	switch d.Layer {
	case awserr.LayerBoundary:
		return "BRK-POL-001"
	case awserr.LayerSession:
		return "BRK-POL-002"
	case awserr.LayerSCP:
		return "BRK-POL-003"
	case awserr.LayerRCP:
		return "BRK-POL-004"
	case awserr.LayerVPCEndpoint:
		return "BRK-POL-005"
	case awserr.LayerPublicAccess:
		return "BRK-POL-006"
	}
	action := cmp.Or(d.Action, actionOf(e))
	switch {
	case strings.HasPrefix(action, "sts:AssumeRoleWith"):
		return "BRK-ID-024"
	case strings.HasPrefix(action, "sts:"):
		if d.Layer == awserr.LayerIdentity {
			return "BRK-ID-021"
		}
		return "BRK-ID-020"
	case strings.HasPrefix(action, "kms:"):
		return kmsPage(d, action)
	case strings.HasPrefix(action, "s3:"), e.Service == "s3":
		return s3Page(d)
	case e.Service == "" && d.Action == "":
		return "BRK-S3-023" // a bare "Access Denied" is S3's
	}
	return "BRK-AWS-002"
}

func kmsPage(d awserr.Denial, action string) string {
	decrypt := action == "kms:Decrypt"
	switch {
	case d.Explicit:
		return "BRK-KMS-014"
	case d.Layer == awserr.LayerIdentity && decrypt:
		return "BRK-KMS-012"
	case d.Layer == awserr.LayerIdentity:
		return "BRK-KMS-011"
	case (d.Layer == awserr.LayerResource || d.Layer == awserr.LayerKeyPolicy) && decrypt:
		return "BRK-KMS-013"
	case d.Layer == awserr.LayerResource || d.Layer == awserr.LayerKeyPolicy:
		return "BRK-KMS-010"
	}
	return "BRK-KMS-015"
}

func s3Page(d awserr.Denial) string {
	switch {
	case d.Explicit:
		return "BRK-S3-022"
	case d.Layer == awserr.LayerIdentity:
		return "BRK-S3-020"
	case d.Layer == awserr.LayerResource:
		return "BRK-S3-021"
	}
	return "BRK-S3-023"
}
