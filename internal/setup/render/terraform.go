package render

import (
	"fmt"

	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// terraform writes the halves as one root module. The providers have a file of
// their own: who has providers already leaves it out.
func (w *writer) terraform() []File {
	t := &terraformWriter{writer: w, roles: newNames(), others: newNames()}
	for _, r := range w.Roles {
		t.roles.name(r.ARN, identifier(r.Name))
	}
	out := []File{{Name: "brokerd-providers.tf", Mode: 0o644, Data: []byte(t.providers())}}
	if w.half.has(Source) {
		out = append(out, File{Name: "brokerd-source.tf", Mode: 0o644, Data: []byte(t.source())})
	}
	if w.half.has(Target) {
		out = append(out, File{Name: "brokerd-target.tf", Mode: 0o644, Data: []byte(t.target())})
	}
	return out
}

type terraformWriter struct {
	*writer
	roles, others *names
}

func (t *terraformWriter) providers() string {
	h := &hcl{}
	h.comment("Written by `brokerctl setup render -o terraform`.",
		"The accounts, and where their credentials come from. Change it as you like, or",
		"leave it out where the aliases are configured elsewhere.")
	h.block("terraform", func() {
		h.set("required_version", quote(">= 1.5"))
		h.blank()
		h.block("required_providers", func() {
			h.flush()
			h.line("aws = {")
			h.depth++
			h.set("source", quote("hashicorp/aws"))
			h.set("version", quote(">= 5.0"))
			h.flush()
			h.depth--
			h.line("}")
		})
	})
	for _, half := range []Half{Source, Target} {
		if !t.half.has(half) {
			continue
		}
		for _, p := range t.places(half) {
			side := t.side(half, p)
			h.blank()
			h.block("variable "+quote(side+"_profile"), func() {
				h.set("description", quote("Profile of the shared AWS configuration for account "+p.account+"; null for the default credentials"))
				h.set("type", "string")
				h.set("default", "null")
			})
			h.blank()
			h.block(`provider "aws"`, func() {
				h.set("alias", quote(side))
				h.set("profile", "var."+side+"_profile")
				h.set("region", quote(p.region))
				h.set("allowed_account_ids", quoteAll([]string{p.account}))
			})
		}
	}
	return h.String()
}

func (t *terraformWriter) provider(h *hcl, half Half, p place) {
	h.set("provider", "aws."+t.side(half, p))
	h.blank()
}

func (t *terraformWriter) source() string {
	h := &hcl{}
	h.comment("Account A: the roles that brokerd assumes. Written by `brokerctl setup render`",
		"from the configuration of brokerd; change that, and render again.")
	for i, r := range t.Roles {
		name := t.roles.name(r.ARN, "")
		h.blank()
		h.block(`data "aws_iam_policy_document" `+quote(name+"_trust"), func() {
			t.provider(h, Source, t.inIAM(r.Account))
			t.statements(h, r.Trust.Statement, i)
		})
		h.blank()
		h.block(`resource "aws_iam_role" `+quote(name), func() {
			t.provider(h, Source, t.inIAM(r.Account))
			h.set("name", quote(r.Name))
			h.set("path", quote(r.Path))
			h.set("max_session_duration", fmt.Sprint(int(r.MaxSession/time.Second)))
			h.set("assume_role_policy", "data.aws_iam_policy_document."+name+"_trust.json")
			if r.Boundary != "" {
				h.set("permissions_boundary", quote(r.Boundary))
			}
		})
		if r.Inline.Empty() {
			continue
		}
		h.blank()
		h.block(`data "aws_iam_policy_document" `+quote(name), func() {
			t.provider(h, Source, t.inIAM(r.Account))
			t.statements(h, r.Inline.Statement, 0)
		})
		h.blank()
		h.block(`resource "aws_iam_role_policy" `+quote(name), func() {
			t.provider(h, Source, t.inIAM(r.Account))
			h.set("name", quote(setup.InlineName))
			h.set("role", "aws_iam_role."+name+".name")
			h.set("policy", "data.aws_iam_policy_document."+name+".json")
		})
	}
	for _, s := range t.Sources {
		if s.Inline.Empty() {
			continue
		}
		name := t.others.name(s.ARN, identifier("runs_as_"+lastOf(s.ARN)))
		kind := awsarn.ResourceType(s.ARN)
		h.blank()
		h.comment("The daemon's own identity exists already; it gets this one policy.")
		h.block(`data "aws_iam_policy_document" `+quote(name), func() {
			t.provider(h, Source, t.inIAM(s.Account))
			t.statements(h, s.Inline.Statement, 0)
		})
		h.blank()
		h.block(`resource "aws_iam_`+kind+`_policy" `+quote(name), func() {
			t.provider(h, Source, t.inIAM(s.Account))
			h.set("name", quote(setup.InlineName))
			h.set(kind, quote(lastOf(s.ARN)))
			h.set("policy", "data.aws_iam_policy_document."+name+".json")
		})
	}
	h.blank()
	h.block(`output "brokerd_roles"`, func() {
		h.set("description", quote("The roles that the policies of the other account name"))
		var refs []string
		for _, r := range t.Roles {
			refs = append(refs, "aws_iam_role."+t.roles.name(r.ARN, "")+".arn")
		}
		h.set("value", "["+strings.Join(refs, ", ")+"]")
	})
	return h.String()
}

// statements writes statement blocks. A principal that is a role of this module
// is written as a reference to it, so that it is made first; of the roles, only
// those before the one with index upTo, for references must not go in circles.
func (t *terraformWriter) statements(h *hcl, statements []setup.Statement, upTo int) {
	for i, s := range statements {
		if i > 0 {
			h.blank()
		}
		h.block("statement", func() {
			h.set("sid", quote(s.Sid))
			h.set("effect", quote(s.Effect))
			h.set("actions", quoteAll(s.Action))
			if len(s.Resource) > 0 {
				h.set("resources", quoteAll(s.Resource))
			}
			for _, kind := range sorted(s.Principal) {
				h.blank()
				h.block("principals", func() {
					h.set("type", quote(kind))
					h.set("identifiers", t.principals(s.Principal[kind], upTo))
				})
			}
			for _, op := range sorted(s.Condition) {
				for _, key := range sorted(s.Condition[op]) {
					h.blank()
					h.block("condition", func() {
						h.set("test", quote(op))
						h.set("variable", quote(key))
						h.set("values", quoteAll(s.Condition[op][key]))
					})
				}
			}
		})
	}
}

func (t *terraformWriter) principals(arns []string, upTo int) string {
	out := make([]string, len(arns))
	for i, arn := range arns {
		out[i] = quote(arn)
		at := slices.IndexFunc(t.Roles, func(r setup.Role) bool { return r.ARN == arn })
		if at >= 0 && at < upTo && t.half.has(Source) {
			out[i] = "aws_iam_role." + t.roles.name(arn, "") + ".arn"
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}
