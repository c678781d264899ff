package handover

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

//go:embed *.md.tmpl
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"join":  func(list []string) string { return strings.Join(list, ", ") },
	"code":  func(list []string) string { return "`" + strings.Join(list, "`, `") + "`" },
	"flag":  flag,
	"quote": quote,
}).ParseFS(files, "*.md.tmpl"))

// Request is what an administrator is asked for.
type Request struct {
	Account string      // whose administrator reads it
	State   setup.State // of the whole configuration
	Plan    *setup.Plan
	Script  string // name of the script that comes along; empty: none does
	Config  string // name of the configuration file
}

// Text is the message, in Markdown.
func Text(r Request) (string, error) {
	v, err := newView(r)
	if err != nil {
		return "", err
	}
	name := "request.md.tmpl"
	if r.Plan.Remove {
		name = "removal.md.tmpl"
	}
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		return "", fmt.Errorf("writing the hand-over for account %s: %w", r.Account, err)
	}
	return b.String(), nil
}

// view is a request in the shape of the templates.
type view struct {
	Request
	rest             setup.State // after a removal
	Destinations     []string
	Callers          []string // the roles that will write, in the other account
	CallerAccounts   []string
	Target           bool // the account owns buckets or keys; else it owns roles
	Profile          string
	Allowed, Denied  []string // the proof, by the decision
	Assumptions      []string
	Policies         []policy
	Roles            []role
	Buckets          []bucket
	Keys             []string
	Settings, Others []string // commands of settings; effects on others
	Rules            []rule
}

// policy is one document, as the statements to add or to take out.
type policy struct {
	Title, File string
	Read, Write string // commands around the change
	Delete      string // command for a document without a statement, which AWS refuses; empty: there always is one
	Missing     string // error code when there is no document; empty: there always is one
	Statements  string // JSON list
	Sids        []string
	Revoke      string // JSON list of the Sids to take out; the account keeps its control of a key
	Keep        string // JSON list: statements that destinations shared, without the removed ones; empty: none
	KeepAdmin   bool   // the list holds the statement that keeps the account's own control of a key
}

// Put is the command after a removal: an empty document is refused.
func (p policy) Put() string {
	if p.Delete == "" {
		return p.Write
	}
	return "if jq -e '.Statement == []' new.json > /dev/null; then\n  " + p.Delete + "\nelse\n  " + p.Write + "\nfi"
}

type role struct {
	Name, Path, Trust, Inline, Boundary string
	MaxSession                          int // seconds
}

type bucket struct{ Name, Region, Prefix string }

func newView(r Request) (*view, error) {
	v := &view{Request: r, Profile: "--source-profile"}
	if r.Plan.Remove {
		var err error
		if v.rest, err = r.State.Without(r.Plan.Destinations); err != nil {
			return nil, err
		}
		v.Destinations = r.Plan.Destinations
	}
	for _, c := range r.Plan.Changes {
		if c.Account != r.Account || c.Op != setup.OpHandOver {
			continue
		}
		if !r.Plan.Remove {
			for _, d := range c.Destinations {
				v.Destinations = with(v.Destinations, d)
			}
		}
		if err := v.change(&c); err != nil {
			return nil, err
		}
	}
	if v.Target {
		v.Profile = "--target-profile"
	}
	for _, role := range r.State.Roles {
		if role.Account != r.Account &&
			slices.ContainsFunc(role.Destinations, func(d string) bool { return slices.Contains(v.Destinations, d) }) {
			v.Callers = with(v.Callers, role.ARN)
			v.CallerAccounts = with(v.CallerAccounts, role.Account)
		}
	}
	for _, c := range r.Plan.Proof {
		if !slices.Contains(v.Destinations, c.Destination) || c.Verdict != setup.Holds {
			continue
		}
		if c.Want == "allowed" {
			v.Allowed = with(v.Allowed, c.Name)
		} else {
			v.Denied = with(v.Denied, c.Name)
		}
		for _, a := range c.Assumptions {
			v.Assumptions = with(v.Assumptions, a)
		}
	}
	return v, nil
}

// change adds one part of the plan.
func (v *view) change(c *setup.Change) error {
	arn, _ := awsarn.Split(c.ARN)
	name := arn.Resource
	switch c.Kind {
	case setup.KindBucket:
		v.Target = true
		region := ""
		if b := c.Bucket(); b != nil {
			region = " --region " + b.Region
		}
		return v.policy(c, policy{
			Title: "Bucket policy of `" + name + "`", File: "bucket-policy", Missing: "NoSuchBucketPolicy",
			Read:   "aws s3api get-bucket-policy --bucket " + name + region + " --query Policy --output text",
			Delete: "aws s3api delete-bucket-policy --bucket " + name + region,
			Write:  "aws s3api put-bucket-policy --bucket " + name + region + " --policy file://new.json",
		})
	case setup.KindKey:
		v.Target = true
		v.Keys = with(v.Keys, c.ARN)
		return v.policy(c, policy{
			Title: "Key policy of `" + c.ARN + "`", File: "key-policy",
			Read:  "aws kms get-key-policy --key-id " + c.ARN + " --region " + arn.Region + " --policy-name default --query Policy --output text",
			Write: "aws kms put-key-policy --key-id " + c.ARN + " --region " + arn.Region + " --policy-name default --policy file://new.json",
		})
	case setup.KindTrust, setup.KindIdentity, setup.KindRole, setup.KindBoundary, setup.KindMaxSession:
		return v.role(c)
	}
	if b := c.Bucket(); b != nil && !v.Plan.Remove {
		v.Target = true
		v.setting(c, b)
	}
	return nil
}

// policy adds the statements of a document of ours.
func (v *view) policy(c *setup.Change, p policy) error {
	var statements []json.RawMessage
	if v.Plan.Remove {
		gone := v.removed(c)
		if p.Sids = gone.Sids; len(p.Sids) == 0 {
			return nil // other destinations need all of it
		}
		if len(gone.Keep) > 0 {
			keep, err := json.Marshal(gone.Keep)
			if err != nil {
				return err
			}
			p.Keep = string(keep)
			for _, s := range gone.Keep { // run twice, it is not there twice
				p.Sids = with(p.Sids, s.Sid)
			}
		}
	} else {
		var doc struct{ Statement []json.RawMessage }
		if err := json.Unmarshal([]byte(c.After), &doc); err != nil {
			return fmt.Errorf("reading the %s to hand over: %w", c.Kind, err)
		}
		statements = doc.Statement
		for _, s := range c.Statements {
			p.Sids = with(p.Sids, s.Sid)
			p.KeepAdmin = p.KeepAdmin || s.Sid == setup.SidKeyAdmin
		}
	}
	text, err := json.MarshalIndent(statements, "", "  ")
	if err != nil {
		return err
	}
	sids, err := json.Marshal(slices.DeleteFunc(slices.Clone(p.Sids), func(sid string) bool { return sid == setup.SidKeyAdmin }))
	if err != nil {
		return err
	}
	p.Statements, p.Revoke = string(text), string(sids)
	v.Policies = append(v.Policies, p)
	if b := c.Bucket(); c.Kind == setup.KindBucket && b != nil {
		v.bucket(b)
	}
	return nil
}

// removed compares a document of ours before and after a removal.
func (v *view) removed(c *setup.Change) setup.Removed {
	return setup.RemovedFrom(partOf(v.State, c), partOf(v.rest, c))
}

// partOf is our part of the document of a change; without statements when there is none.
func partOf(s setup.State, c *setup.Change) setup.Policy {
	switch c.Kind {
	case setup.KindBucket:
		return find(s.Buckets, func(b setup.Bucket) bool { return b.ARN == c.ARN }).Policy
	case setup.KindKey:
		return find(s.Keys, func(k setup.Key) bool { return k.ARN == c.ARN }).Policy
	case setup.KindTrust:
		return find(s.Roles, func(r setup.Role) bool { return r.ARN == c.ARN }).Trust
	case setup.KindIdentity:
		if role := find(s.Roles, func(r setup.Role) bool { return r.ARN == c.ARN }); role.ARN != "" {
			return role.Inline
		}
		return find(s.Sources, func(o setup.Source) bool { return o.ARN == c.ARN }).Inline
	}
	return setup.Policy{}
}

// find returns the first element that is; without one, the zero value.
func find[T any](list []T, is func(T) bool) (out T) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		out = list[i]
	}
	return out
}

// bucket notes a bucket and what its policy means for everybody else.
func (v *view) bucket(b *setup.Bucket) {
	for _, d := range v.State.Deliveries {
		if d.BucketARN != b.ARN || !slices.Contains(v.Destinations, d.Destination.Name) {
			continue
		}
		if place := (bucket{b.Name, b.Region, d.Destination.KeyTemplate.Prefix()}); !slices.Contains(v.Buckets, place) {
			v.Buckets = append(v.Buckets, place)
		}
		v.Others = with(
			v.Others,
			fmt.Sprintf("Uploads below `%s` of `%s` with another encryption or another key than `%s` are refused, for every writer. "+
				"Uploads without an encryption header get the bucket's default encryption, as before.", d.Destination.KeyTemplate.Prefix(), b.Name,
				d.Destination.KMSKey),
		)
	}
	v.Others = with(v.Others, fmt.Sprintf("Requests to `%s` over plain HTTP are refused, for everybody.", b.Name))
}

// setting adds the command of a bucket's setting, and its effect on others.
func (v *view) setting(c *setup.Change, b *setup.Bucket) {
	command := func(operation, options string) {
		v.Settings = with(v.Settings, fmt.Sprintf("aws s3api %s --bucket %s --region %s %s", operation, b.Name, b.Region, options))
	}
	effect := func(format string, args ...any) { v.Others = with(v.Others, fmt.Sprintf(format, args...)) }
	switch c.Kind {
	case setup.KindBucketMade:
		options := "--object-ownership BucketOwnerEnforced"
		if b.Region != "us-east-1" {
			options += " --create-bucket-configuration LocationConstraint=" + b.Region
		}
		command("create-bucket", options)
	case setup.KindPublicBlock:
		p := b.PublicAccess
		command(
			"put-public-access-block",
			fmt.Sprintf("--public-access-block-configuration BlockPublicAcls=%t,IgnorePublicAcls=%t,BlockPublicPolicy=%t,RestrictPublicBuckets=%t",
				p.BlockPublicACLs, p.IgnorePublicACLs, p.BlockPublicPolicy, p.RestrictPublicBuckets),
		)
		effect("Public access to `%s` is blocked. A public website or public objects in it stop working.", b.Name)
	case setup.KindOwnership:
		command("put-bucket-ownership-controls", "--ownership-controls 'Rules=[{ObjectOwnership="+b.Ownership+"}]'")
		effect(
			"Access control lists of `%s` are turned off: the account owns every object, and an upload that sends an ACL other than "+
				"bucket-owner-full-control is refused.",
			b.Name,
		)
	case setup.KindEncryption:
		command("put-bucket-encryption", "--server-side-encryption-configuration "+flag(map[string]any{"Rules": []any{map[string]any{
			"ApplyServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": b.Encryption.Algorithm, "KMSMasterKeyID": b.Encryption.KeyARN},
			"BucketKeyEnabled":                   b.Encryption.BucketKey,
		}}}))
		effect(
			"New objects of `%s` without an encryption header are encrypted with `%s`. Their readers need kms:Decrypt on that key.",
			b.Name,
			b.Encryption.KeyARN,
		)
	case setup.KindLifecycle:
		for _, rule := range b.Lifecycle {
			effect(
				"A lifecycle rule aborts multipart uploads below `%s` of `%s` that are unfinished after %d days. It deletes no object.",
				rule.Prefix,
				b.Name,
				rule.AbortIncompleteDays,
			)
			v.Rules = append(v.Rules, lifecycleRule(b, rule))
		}
	case setup.KindLogging:
		effect("Access logs of `%s` go to `%s`, below `%s`.", b.Name, b.Logging.Bucket, b.Logging.Prefix)
		command(
			"put-bucket-logging",
			"--bucket-logging-status "+flag(
				map[string]any{"LoggingEnabled": map[string]any{"TargetBucket": b.Logging.Bucket, "TargetPrefix": b.Logging.Prefix}},
			),
		)
	}
}

// rule is a lifecycle rule that joins those of the bucket.
type rule struct{ Bucket, Region, JSON string }

func lifecycleRule(b *setup.Bucket, r setup.LifecycleRule) rule {
	return rule{b.Name, b.Region, flag(map[string]any{
		"ID": r.ID, "Status": "Enabled", "Filter": map[string]any{"Prefix": r.Prefix},
		"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": r.AbortIncompleteDays},
	})}
}

func (v *view) role(c *setup.Change) error {
	r := c.Role()
	stays := slices.ContainsFunc(v.rest.Roles, func(o setup.Role) bool { return o.ARN == c.ARN })
	if stays && c.Kind == setup.KindTrust {
		return v.policy(c, policy{
			Title: "Trust policy of `" + c.ARN + "`", File: "trust",
			Read:  "aws iam get-role --role-name " + r.Name + " --query Role.AssumeRolePolicyDocument",
			Write: "aws iam update-assume-role-policy --role-name " + r.Name + " --policy-document file://new.json",
		})
	}
	if r == nil || stays { // the policy of an identity that setup does not make, or keeps
		return v.policy(c, policy{
			Title: "Policies of `" + c.ARN + "`", File: "identity-policy", Missing: "NoSuchEntity",
			Read: fmt.Sprintf(
				"aws iam get-%[1]s-policy --%[1]s-name %[2]s --policy-name %[3]s --query PolicyDocument",
				kindOf(c.ARN),
				lastName(c.ARN),
				setup.InlineName,
			),
			Delete: fmt.Sprintf(
				"aws iam delete-%[1]s-policy --%[1]s-name %[2]s --policy-name %[3]s",
				kindOf(c.ARN),
				lastName(c.ARN),
				setup.InlineName,
			),
			Write: fmt.Sprintf(
				"aws iam put-%[1]s-policy --%[1]s-name %[2]s --policy-name %[3]s --policy-document file://new.json",
				kindOf(c.ARN),
				lastName(c.ARN),
				setup.InlineName,
			),
		})
	}
	i := slices.IndexFunc(v.Roles, func(have role) bool { return have.Name == r.Name })
	if i < 0 {
		v.Roles = append(v.Roles, role{Name: r.Name, Path: r.Path, Boundary: r.Boundary, MaxSession: int(r.MaxSession.Seconds())})
		i = len(v.Roles) - 1
	}
	switch c.Kind {
	case setup.KindTrust:
		v.Roles[i].Trust = strings.TrimSpace(c.After)
	case setup.KindIdentity:
		v.Roles[i].Inline = strings.TrimSpace(c.After)
	}
	return nil
}

func kindOf(arn string) string {
	if awsarn.ResourceType(arn) == "user" {
		return "user"
	}
	return "role"
}

func lastName(arn string) string {
	a, _ := awsarn.Split(arn)
	return a.Name()
}

// flag is a value as JSON, quoted for a shell.
func flag(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "''"
	}
	return "'" + strings.ReplaceAll(string(text), "'", `'\''`) + "'"
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func with(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
