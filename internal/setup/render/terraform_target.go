package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/setup"
)

// Settings of a bucket that others may rely on. Those of a bucket that is made
// here are all ours.
const (
	settingOwnership  = "ownership"
	settingPublic     = "public_access"
	settingEncryption = "encryption"
	settingLifecycle  = "lifecycle"
	settingLogging    = "access_logs"
)

func (t *terraformWriter) target() string {
	h := &hcl{}
	h.comment("Account B: the policies of the key and the bucket. Written by `brokerctl setup",
		"render` from the configuration of brokerd; change that, and render again.")
	t.targetVariables(h)
	for _, k := range t.Keys {
		t.key(h, k)
	}
	for _, b := range t.Buckets {
		t.bucket(h, b)
	}
	for _, tr := range t.Trails {
		h.blank()
		h.comment("Trail "+tr.ARN+" is to record writes to",
			strings.Join(tr.Objects, ", ")+".",
			"Terraform cannot add a selector to a trail that it does not own: add it where the",
			"trail is managed, or with `brokerctl setup render -o cli`.")
	}
	return h.String()
}

// targetVariables asks for what would be lost otherwise: a policy is written as a
// whole, and what others have in it comes from here. They have no defaults.
func (t *terraformWriter) targetVariables(h *hcl) {
	keys, buckets, existing := []string{}, []string{}, false
	for _, k := range t.Keys {
		keys = append(keys, k.ARN)
	}
	for _, b := range t.Buckets {
		if b.Create {
			continue
		}
		buckets = append(buckets, b.Name)
		existing = true
	}
	ask := func(name, what, how string, names []string) {
		if len(names) == 0 {
			return
		}
		h.blank()
		h.comment(what, how)
		h.block("variable "+quote(name), func() {
			h.set("description", quote("JSON text of the policies as they are; an empty text where there is none"))
			h.set("type", "map(string)")
			h.blank()
			h.block("validation", func() {
				h.set("condition", fmt.Sprintf("alltrue([for name in %s : contains(keys(var.%s), name)])", quoteAll(names), name))
				h.set("error_message", quote("Give the current document of each of: "+strings.Join(names, ", ")+"."))
			})
		})
	}
	ask("existing_key_policies", "The policy of each key as it is now, by the key's ARN. Others' statements are kept:",
		"aws kms get-key-policy --policy-name default --query Policy --output text --key-id ARN", keys)
	ask("existing_bucket_policies", "The policy of each bucket as it is now, by the bucket's name. Others' statements are kept:",
		"aws s3api get-bucket-policy --query Policy --output text --bucket NAME", buckets)
	if !existing {
		return
	}
	h.blank()
	h.comment("What to set on buckets that exist. `encryption`, `lifecycle` and `access_logs`",
		"replace the existing value as a whole: add them when no value of others is lost.")
	h.block(`variable "bucket_settings"`, func() {
		h.set("description", quote("Of ownership, public_access, encryption, lifecycle, access_logs: what to set on buckets that exist"))
		h.set("type", "set(string)")
		h.set("default", quoteAll([]string{settingOwnership, settingPublic}))
	})
}

func (t *terraformWriter) key(h *hcl, k setup.Key) {
	name := t.others.name(k.ARN, identifier("key_"+lastOf(k.ARN)))
	h.blank()
	h.block(`data "aws_iam_policy_document" `+quote(name), func() {
		t.provider(h, Target, place{k.Account, k.Region})
		h.set("source_policy_documents", "compact([var.existing_key_policies["+quote(k.ARN)+"]])")
		h.blank()
		t.statements(h, k.Policy.Statement, len(t.Roles))
	})
	h.blank()
	h.comment("Destroying this would take the statements of others along.")
	h.block(`resource "aws_kms_key_policy" `+quote(name), func() {
		t.provider(h, Target, place{k.Account, k.Region})
		h.set("key_id", quote(lastOf(k.ARN)))
		h.set("policy", "data.aws_iam_policy_document."+name+".json")
		t.afterRoles(h)
		h.blank()
		h.block("lifecycle", func() { h.set("prevent_destroy", "true") })
	})
}

// afterRoles waits for the roles with their policies: AWS refuses policies that
// name a role that is not there.
func (t *terraformWriter) afterRoles(h *hcl) {
	if !t.half.has(Source) {
		return
	}
	var refs []string
	for _, r := range t.Roles {
		refs = append(refs, "aws_iam_role."+t.roles.name(r.ARN, ""))
	}
	h.blank()
	h.set("depends_on", "["+strings.Join(refs, ", ")+"]")
}

func (t *terraformWriter) bucket(h *hcl, b setup.Bucket) {
	name := t.others.name(b.ARN, identifier(b.Name))
	ref := quote(b.Name)
	if b.Create {
		ref = "aws_s3_bucket." + name + ".id"
		h.blank()
		h.block(`resource "aws_s3_bucket" `+quote(name), func() {
			t.provider(h, Target, place{b.Account, b.Region})
			h.set("bucket", quote(b.Name))
			h.blank()
			h.block("lifecycle", func() { h.set("prevent_destroy", "true") })
		})
	}
	setting := func(kind, setting string, body func()) {
		h.blank()
		h.block(`resource "aws_s3_bucket_`+kind+`" `+quote(name), func() {
			h.set("provider", "aws."+t.side(Target, place{b.Account, b.Region}))
			if !b.Create {
				h.set("count", "contains(var.bucket_settings, "+quote(setting)+") ? 1 : 0")
			}
			h.blank()
			h.set("bucket", ref)
			body()
		})
	}
	setting("ownership_controls", settingOwnership, func() {
		h.blank()
		h.block("rule", func() { h.set("object_ownership", quote(b.Ownership)) })
	})
	setting("public_access_block", settingPublic, func() {
		h.set("block_public_acls", fmt.Sprint(b.PublicAccess.BlockPublicACLs))
		h.set("ignore_public_acls", fmt.Sprint(b.PublicAccess.IgnorePublicACLs))
		h.set("block_public_policy", fmt.Sprint(b.PublicAccess.BlockPublicPolicy))
		h.set("restrict_public_buckets", fmt.Sprint(b.PublicAccess.RestrictPublicBuckets))
	})
	setting("server_side_encryption_configuration", settingEncryption, func() {
		h.blank()
		h.block("rule", func() {
			h.set("bucket_key_enabled", fmt.Sprint(b.Encryption.BucketKey))
			h.blank()
			h.block("apply_server_side_encryption_by_default", func() {
				h.set("sse_algorithm", quote(b.Encryption.Algorithm))
				h.set("kms_master_key_id", quote(b.Encryption.KeyARN))
			})
		})
	})
	setting("lifecycle_configuration", settingLifecycle, func() {
		for _, r := range b.Lifecycle {
			h.blank()
			h.block("rule", func() {
				h.set("id", quote(r.ID))
				h.set("status", quote("Enabled"))
				h.blank()
				if r.Prefix == "" {
					h.flush()
					h.line("filter {}")
				} else {
					h.block("filter", func() { h.set("prefix", quote(r.Prefix)) })
				}
				h.blank()
				h.block("abort_incomplete_multipart_upload", func() {
					h.set("days_after_initiation", fmt.Sprint(r.AbortIncompleteDays))
				})
			})
		}
	})
	if b.Logging != nil {
		setting("logging", settingLogging, func() {
			h.set("target_bucket", quote(b.Logging.Bucket))
			h.set("target_prefix", quote(b.Logging.Prefix))
		})
	}
	h.blank()
	h.block(`data "aws_iam_policy_document" `+quote(name), func() {
		t.provider(h, Target, place{b.Account, b.Region})
		if !b.Create {
			h.set("source_policy_documents", "compact([var.existing_bucket_policies["+quote(b.Name)+"]])")
			h.blank()
		}
		t.statements(h, b.Policy.Statement, len(t.Roles))
	})
	h.blank()
	h.comment("Destroying this would take the statements of others along.")
	h.block(`resource "aws_s3_bucket_policy" `+quote(name), func() {
		t.provider(h, Target, place{b.Account, b.Region})
		h.set("bucket", ref)
		h.set("policy", "data.aws_iam_policy_document."+name+".json")
		h.blank()
		waits := []string{"aws_s3_bucket_public_access_block." + name}
		if t.half.has(Source) {
			for _, r := range t.Roles {
				waits = append(waits, "aws_iam_role."+t.roles.name(r.ARN, ""))
			}
		}
		h.set("depends_on", "["+strings.Join(slices.Compact(waits), ", ")+"]")
		h.blank()
		h.block("lifecycle", func() { h.set("prevent_destroy", "true") })
	})
}
