package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// principalForm reports ARNs of IAM and STS that name no user, role, session or root
// user, such as "arn:aws:iam::111122223333:role:role/x".
func (l *linter) principalForm(n *policytext.Node) {
	p := element(n, "Principal")
	if p == nil || p.Kind != policytext.ObjectNode {
		return
	}
	each(p.Get("AWS"), func(v *policytext.Node) {
		a, ok := awsarn.Split(v.Text)
		if !ok || strings.ContainsAny(v.Text, "*?") || compilePrincipal("AWS", v.Text).kind == principalNever {
			return // POL018 and POL019 report these
		}
		if !principalResource(a) {
			l.add(
				v,
				"POL050",
				SeverityError,
				"%q names no principal: AWS refuses the policy; write the ARN of a user, role, session or root user",
				v.Text,
			)
		}
	})
}

func principalResource(a awsarn.ARN) bool {
	if !awsarn.IsAccount(a.Account) && a.Account != "cloudfront" {
		return false
	}
	rest, name := a.Resource, ""
	kind, name, _ := strings.Cut(rest, "/")
	if name == "" || strings.Contains(name, ":") && a.Service == "iam" {
		return a.Service == "iam" && rest == "root"
	}
	switch kind {
	case "user", "role":
		return a.Service == "iam" && !strings.HasSuffix(name, "/")
	case "assumed-role":
		return a.Service == "sts" && strings.Count(name, "/") == 1 && !strings.HasSuffix(name, "/") && !strings.HasPrefix(name, "/")
	case "federated-user":
		return a.Service == "sts"
	}
	return false
}

// documentARNs reports ARNs of different partitions in one document, and ARNs that differ
// in case only: AWS compares ARNs with regard to case, so one of the two never matches.
func (l *linter) documentARNs(root *policytext.Node) {
	first := ""
	spelled := make(map[string]string)
	l.arns(root, func(v *policytext.Node) {
		if partition, _, _ := strings.Cut(strings.TrimPrefix(v.Text, "arn:"), ":"); knownPartition(partition) {
			if first == "" {
				first = partition
			}
			if partition != first {
				l.add(v, "POL051", SeverityWarning, "the document has ARNs of the partitions %q and %q: a request belongs to one partition", first,
					partition)
			}
		}
		lower := strings.ToLower(v.Text)
		if other, ok := spelled[lower]; ok && other != v.Text {
			l.add(v, "POL055", SeverityWarning, "%q and %q differ in case only: ARNs are compared with regard to case", other, v.Text)
		} else if !ok {
			spelled[lower] = v.Text
		}
	})
}

// arns visits the ARNs of all statements: principals, resources and condition values.
func (l *linter) arns(root *policytext.Node, visit func(*policytext.Node)) {
	var walk func(*policytext.Node)
	walk = func(n *policytext.Node) {
		switch n.Kind {
		case policytext.StringNode:
			if strings.HasPrefix(n.Text, "arn:") {
				visit(n)
			}
		case policytext.ArrayNode:
			for i := range n.Elems {
				walk(&n.Elems[i])
			}
		case policytext.ObjectNode:
			for i := range n.Members {
				walk(&n.Members[i].Value)
			}
		}
	}
	if statements := root.Get("Statement"); statements != nil {
		walk(statements)
	}
}
