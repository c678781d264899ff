package iampolicy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// LintText parses a document and lints it. A document that cannot be parsed gives
// one finding, POL001.
func LintText(data []byte, kind Kind) []Finding {
	d, err := Parse(data)
	if err == nil {
		return d.Lint(kind)
	}
	f := Finding{Code: "POL001", Severity: SeverityError, Line: 1, Column: 1, Message: err.Error()}
	var syntax *policytext.SyntaxError
	if errors.As(err, &syntax) {
		f.Line, f.Column, f.Path, f.Message = syntax.Line, syntax.Column, syntax.Path, syntax.Message
	}
	return []Finding{f}
}

// Lint reports the parts of a policy that AWS refuses for the given use, and those
// that are likely mistakes, in the order of the text.
func (d *Document) Lint(kind Kind) []Finding {
	if d == nil || d.text == "" {
		return nil
	}
	root, err := policytext.Read(d.text, policytext.MaxBytes)
	if err != nil {
		return nil
	}
	l := linter{doc: d, kind: kind}
	l.document(root)
	slices.SortStableFunc(l.out, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return l.out
}

type linter struct {
	doc  *Document
	kind Kind
	out  []Finding
	path string
}

func (l *linter) add(n *policytext.Node, code string, severity Severity, format string, args ...any) {
	line, column := policytext.Place(l.doc.text, n.Pos)
	l.out = append(l.out, Finding{Code: code, Severity: severity, Line: line, Column: column, Path: l.path,
		Message: fmt.Sprintf(format, args...)})
}

// hasPrincipals says whether policies of the kind name principals.
func (k Kind) hasPrincipals() bool {
	return k == KindBucket || k == KindKey || k == KindTrust || k == KindVPCEndpoint || k == KindResourceCtrl
}

// sizeLimits are in characters; white space counts for resource policies only,
// which is why this is a warning.
var sizeLimits = map[Kind]int{KindIdentity: 10240, KindBoundary: 6144, KindSession: 2048, KindBucket: 20480, KindKey: 32768,
	KindTrust: 2048, KindServiceControl: 5120, KindResourceCtrl: 5120, KindVPCEndpoint: 20480}

func (l *linter) document(root *policytext.Node) {
	if limit := sizeLimits[l.kind]; limit > 0 && len(l.doc.text) > limit {
		l.add(root, "POL002", SeverityWarning, "the document has %d characters; AWS's limit for this use is %d by default", len(l.doc.text),
			limit)
	}
	if l.doc.version != versionVariables {
		l.add(root, "POL003", SeverityWarning, "without \"Version\": %q policy variables are plain text", versionVariables)
	}
	statements := root.Get("Statement")
	list := statements.Items()
	if len(list) == 0 {
		l.add(statements, "POL004", SeverityError, "the policy has no statement")
	}
	if k := l.kind; (k == KindBoundary || k == KindSession || k == KindVPCEndpoint) && len(list) > 0 &&
		!allowsAnything([]NamedPolicy{{Policy: l.doc}}) {
		l.add(statements, "POL049", SeverityWarning,
			"no statement allows anything: a policy for this use has to allow what it lets through, so this one denies every request")
	}
	sids := map[string]bool{}
	for i := range list {
		l.path = fmt.Sprintf("Statement[%d]", i)
		s := &l.doc.statements[i]
		if s.sid != "" && sids[s.sid] {
			l.add(list[i].Get("Sid"), "POL005", SeverityError, "the Sid %q is used twice", s.sid)
		}
		sids[s.sid] = true
		l.statement(&list[i], s)
	}
	l.path = ""
	l.documentARNs(root)
}

// element gives the node of an element or of its negation.
func element(n *policytext.Node, name string) *policytext.Node {
	if v := n.Get(name); v != nil {
		return v
	}
	return n.Get("Not" + name)
}

// each visits the values of a string or list.
func each(n *policytext.Node, visit func(*policytext.Node)) {
	switch {
	case n == nil:
	case n.Kind == policytext.ArrayNode:
		for i := range n.Elems {
			visit(&n.Elems[i])
		}
	default:
		visit(n)
	}
}

func (l *linter) statement(n *policytext.Node, s *statement) {
	l.principal(n, s)
	l.actions(n, s)
	l.resources(n, s)
	l.principalForm(n)
	l.actionExists(n, s)
	l.webIdentitySubject(n, s)
	l.trustAction(n, s)
	l.serviceForm(n)
	l.aliasResource(n, s)
	l.endpointRoot(n, s)
	if c := n.Get("Condition"); c != nil {
		l.conditions(c, s)
	}
	if !s.deny && slices.Contains(s.rawActions, "*") && slices.Contains(s.rawResources, "*") && l.kind == KindIdentity && !s.notAction {
		l.add(n, "POL006", SeverityWarning, "the statement allows everything on everything")
	}
	if l.kind == KindResourceCtrl && !s.deny {
		l.add(n, "POL007", SeverityError, "a resource control policy may only deny")
	}
	if l.kind == KindBucket && s.public() {
		l.add(
			n,
			"POL008",
			SeverityWarning,
			"the statement is public; with restrict_public_buckets on, S3 then refuses every caller from another account, "+
				"also those named by other statements",
		)
	}
	if l.forwardedKMS(s) {
		l.add(
			n,
			"POL009",
			SeverityWarning,
			"S3 calls KMS on the caller's behalf from inside AWS: the condition on the caller's network fails there; "+
				"split the KMS actions off or add an exception for aws:ViaAWSService",
		)
	}
}

// forwardedKMS finds network conditions that a call forwarded by S3 cannot meet.
func (l *linter) forwardedKMS(s *statement) bool {
	kms := slices.ContainsFunc([]string{"kms:generatedatakey", "kms:decrypt"}, s.matchAction)
	network, exempt := false, false
	for i := range s.conditions {
		switch strings.ToLower(s.conditions[i].key) {
		case "aws:sourceip", "aws:sourcevpce", "aws:sourcevpc", "aws:vpcsourceip":
			network = true
		case "aws:viaawsservice", "kms:viaservice":
			exempt = true
		}
	}
	return kms && network && !exempt
}

func (l *linter) principal(n *policytext.Node, s *statement) {
	p := element(n, "Principal")
	switch {
	case p == nil && l.kind.hasPrincipals():
		l.add(n, "POL010", SeverityError, "the element Principal is missing")
	case p != nil && !l.kind.hasPrincipals():
		l.add(p, "POL011", SeverityError, "a policy for this use has no principals")
	}
	if p == nil {
		return
	}
	if len(s.principals) == 0 {
		l.add(p, "POL012", SeverityError, "the principal is empty")
	}
	switch {
	case s.notPrincipal && l.kind == KindTrust:
		l.add(p, "POL013", SeverityError, "a trust policy cannot use NotPrincipal")
	case s.notPrincipal && !s.deny:
		l.add(p, "POL014", SeverityError, "NotPrincipal with Allow is not supported: it would let every other caller in, anonymous ones included")
	case s.notPrincipal:
		l.add(
			p,
			"POL015",
			SeverityWarning,
			"NotPrincipal has to list the account, the role and the session; use Principal \"*\" with a condition on aws:PrincipalArn",
		)
	case l.kind == KindResourceCtrl && !slices.Contains(s.rawPrincipal, "*"):
		l.add(p, "POL016", SeverityError, "the principal of a resource control policy is \"*\"")
	}
	if p.Kind != policytext.ObjectNode {
		return
	}
	each(p.Get("AWS"), func(v *policytext.Node) {
		c := compilePrincipal("AWS", v.Text)
		switch {
		case c.kind == principalUniqueID:
			l.add(
				v,
				"POL017",
				SeverityWarning,
				"%s is the id of a user or role that was deleted; a new one of the same name is not meant: save the policy with the ARN again",
				v.Text,
			)
		case c.kind == principalNever && strings.ContainsAny(v.Text, "*?"):
			l.add(v, "POL018", SeverityError, "wildcards inside a principal match nothing: use \"*\" with a condition on aws:PrincipalArn")
		case c.kind == principalNever:
			l.add(v, "POL019", SeverityError, "%q is no principal: want an account, or the ARN of a user, role, session or root user", v.Text)
		case c.partition != "" && !knownPartition(c.partition):
			l.add(v, "POL020", SeverityError, "unknown partition %q", c.partition)
		}
	})
}

func (l *linter) actions(n *policytext.Node, s *statement) {
	a := element(n, "Action")
	if len(s.rawActions) == 0 {
		l.add(a, "POL021", SeverityError, "the list of actions is empty")
	}
	each(a, func(v *policytext.Node) {
		service, name, _ := strings.Cut(v.Text, ":")
		switch {
		case v.Text == "*":
		case strings.TrimSpace(v.Text) != v.Text || strings.ContainsAny(v.Text, " ,\t\n"):
			l.add(v, "POL022", SeverityError, "%q never matches: AWS does not trim spaces and commas", v.Text)
		case service == "" || name == "":
			l.add(v, "POL023", SeverityError, "%q is no action: want service:Action", v.Text)
		case strings.ContainsAny(service, "*?"):
			l.add(v, "POL025", SeverityWarning, "%q has a wildcard in the service: AWS documents wildcards in the name of the action only", v.Text)
		case l.kind == KindTrust && !strings.EqualFold(service, "sts"):
			l.add(v, "POL024", SeverityError, "a trust policy takes sts actions only")
		}
	})
}

func (l *linter) resources(n *policytext.Node, s *statement) {
	r := element(n, "Resource")
	switch {
	case r == nil && l.kind != KindTrust:
		l.add(n, "POL030", SeverityError, "the element Resource is missing")
	case r != nil && l.kind == KindTrust:
		l.add(r, "POL031", SeverityError, "a trust policy has no Resource")
	case r != nil && len(s.rawResources) == 0:
		l.add(r, "POL032", SeverityError, "the list of resources is empty")
	}
	vars := l.doc.version == versionVariables
	each(r, func(v *policytext.Node) {
		parts := strings.SplitN(v.Text, ":", 6)
		switch {
		case v.Text == "*":
		case parts[0] != "arn":
			l.add(v, "POL033", SeverityError, "%q is neither an ARN nor \"*\"", v.Text)
		case len(parts) < 6:
			l.add(v, "POL034", SeverityWarning, "the ARN is short; its missing fields match anything")
		case !knownPartition(parts[1]) && !strings.ContainsAny(parts[1], "*?"):
			l.add(v, "POL035", SeverityError, "unknown partition %q", parts[1])
		case parts[2] == "kms" && strings.HasPrefix(parts[5], "alias/") && s.matchAction("kms:generatedatakey"):
			l.add(v, "POL036", SeverityWarning, "an alias does not stand for its key in a policy; name the key's ARN")
		case parts[2] == "s3" && !strings.Contains(parts[5], "/") && !strings.ContainsAny(parts[5], "*?") && s.objectActionsOnly() &&
			!s.namesObjectsOf(parts[5]):
			l.add(v, "POL037", SeverityWarning, "the actions are on objects and the resource is the bucket: append /* or /prefix/*")
		case wildcardType(parts[2], parts[5]):
			l.add(v, "POL047", SeverityWarning, "the resource type of an ARN takes no wildcard: %q may match nothing", v.Text)
		case !vars && strings.Contains(v.Text, "${"):
			l.add(v, "POL038", SeverityWarning, "the variable is plain text without \"Version\": %q", versionVariables)
		case strings.Contains(strings.Join(parts[:5], ":"), "${"):
			l.add(v, "POL039", SeverityError, "variables are read only after the fifth colon of an ARN")
		}
	})
}

// wildcardType finds a wildcard inside the resource type, such as "r?le/x" (IAM
// User Guide, reference_identifiers.html). "*" alone stands for every resource.
func wildcardType(service, resource string) bool {
	if service == "s3" || resource == "*" {
		return false // a bucket's ARN has no type
	}
	kind, _, found := strings.Cut(resource, "/")
	if !found {
		kind, _, _ = strings.Cut(resource, ":")
	}
	return strings.ContainsAny(kind, "*?") && !strings.Contains(kind, "${")
}

// namesObjectsOf reports whether another resource of the statement is objects of the
// bucket: the pair [bucket, bucket/*] is a common way to write both.
func (s *statement) namesObjectsOf(bucket string) bool {
	return slices.ContainsFunc(s.rawResources, func(r string) bool {
		return r == "*" || strings.HasPrefix(r[strings.LastIndexByte(r, ':')+1:], bucket+"/")
	})
}

// objectActionsOnly says whether every action of the statement is on objects.
func (s *statement) objectActionsOnly() bool {
	if s.notAction || len(s.actions) == 0 {
		return false
	}
	for _, a := range s.rawActions {
		switch strings.ToLower(a) {
		case "s3:putobject", "s3:getobject", "s3:deleteobject", "s3:abortmultipartupload", "s3:putobjectacl", "s3:putobjecttagging",
			"s3:listmultipartuploadparts", "s3:putobjectretention", "s3:putobjectlegalhold", "s3:getobjectversion":
		default:
			return false
		}
	}
	return true
}

func (l *linter) conditions(n *policytext.Node, s *statement) {
	at := 0
	for i := range n.Members {
		for j := range n.Members[i].Value.Members {
			m := &n.Members[i].Value.Members[j]
			l.condition(&m.Value, &s.conditions[at], s)
			at++
		}
	}
}

func (l *linter) condition(n *policytext.Node, c *condition, s *statement) {
	if c.set == forAll && !s.deny {
		l.add(n, "POL040", SeverityWarning, "%s is true when the request has no %s: add a Null condition or use ForAnyValue", c.operator, c.key)
	}
	if c.set == forAny && c.ifExists {
		l.add(n, "POL048", SeverityWarning, "%s contradicts itself when the request has no %s: IfExists is then true, ForAnyValue is false",
			c.operator, c.key)
	}
	l.encryptionContext(n, c)
	if !strings.Contains(c.key, ":") {
		l.add(n, "POL041", SeverityError, "%q is no condition key: want service:Key", c.key)
	}
	if len(c.want) == 0 {
		l.add(n, "POL042", SeverityError, "the condition has no value")
	}
	i := -1
	each(n, func(v *policytext.Node) {
		i++
		value := c.values[i]
		switch {
		case !value.valid:
			l.add(v, "POL043", SeverityError, "%s cannot read %q; it never matches", c.operator, v.Text)
		case (c.op.kind == opBool || c.op.kind == opNull) && value.template.pieces == nil && !isBool(v.Text):
			l.add(v, "POL043", SeverityError, "%s wants true or false, not %q", c.operator, v.Text)
		case (c.op.kind == opString || c.op.kind == opStringFold) && strings.ContainsAny(v.Text, "*?") && !strings.Contains(v.Text, "${"):
			like := "StringLike"
			if c.op.negated {
				like = "StringNotLike"
			}
			l.add(v, "POL044", SeverityWarning, "%s compares wildcards as plain text: use %s", c.operator, like)
		case strings.EqualFold(c.key, "aws:PrincipalArn") && strings.Contains(v.Text, ":assumed-role/"):
			l.add(v, "POL045", SeverityWarning, "aws:PrincipalArn of a session is the role's ARN: this never matches")
		case strings.EqualFold(c.key, "s3:x-amz-server-side-encryption-aws-kms-key-id") && !strings.HasPrefix(v.Text, "arn:"):
			l.add(v, "POL046", SeverityWarning, "the key has to be named by its ARN")
		}
	})
}
