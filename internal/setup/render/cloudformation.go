package render

import (
	_ "embed" // the merging function
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

type templateForm string

const (
	yamlTemplate templateForm = "yaml"
	jsonTemplate templateForm = "json"
)

// cloudFormation writes one template for each place.
func (w *writer) cloudFormation(form templateForm) ([]File, error) {
	var out []File
	for _, half := range []Half{Source, Target} {
		if !w.half.has(half) {
			continue
		}
		for _, p := range w.places(half) {
			t := &template{writer: w, place: p, logical: newNames()}
			body, err := t.source()
			if half == Target {
				body, err = t.target()
			}
			if err != nil {
				return nil, err
			}
			f := File{Name: "brokerd-" + strings.ReplaceAll(w.side(half, p), "_", "-") + ".template." + string(form), Mode: 0o644, Alone: true}
			if form == yamlTemplate {
				f.Data, err = toYAML(body)
				f.Data = append(
					[]byte("# Written by `brokerctl setup render` from the configuration of brokerd; change that, and render again.\n"),
					f.Data...)
			} else {
				f.Data, err = indented(body)
			}
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// template is one CloudFormation template.
type template struct {
	*writer
	place     place
	logical   *names
	resources object
	outputs   object
}

func ref(name string) object       { return object{{"Ref", name}} }
func getAtt(name, a string) object { return object{{"Fn::GetAtt", []any{name, a}}} }

// logicalName is letters and digits, as CloudFormation wants it.
func logicalName(kind, name string) string {
	var b strings.Builder
	b.WriteString(kind)
	up := true
	for _, r := range identifier(name) {
		switch {
		case r == '_':
			up = true
			continue
		case up:
			b.WriteString(strings.ToUpper(string(r)))
		default:
			b.WriteRune(r)
		}
		up = false
	}
	return b.String()
}

func (t *template) add(name, kind string, more ...member) {
	t.resources = append(t.resources, member{name, append(object{{"Type", kind}}, more...)})
}

func (t *template) output(name, description string, value any) {
	t.outputs = append(t.outputs, member{name, object{{"Description", description}, {"Value", value}}})
}

func (t *template) body(description string, sections ...member) object {
	out := object{{"AWSTemplateFormatVersion", "2010-09-09"}, {"Description", description}}
	out = append(out, sections...)
	return append(out, member{"Resources", t.resources}, member{"Outputs", t.outputs})
}

func (t *template) source() (object, error) {
	boundary := ""
	for _, r := range t.Roles {
		if r.Account == t.place.account && r.Boundary != "" {
			if boundary != "" && boundary != r.Boundary {
				return nil, fmt.Errorf(
					"the roles of account %s have different boundaries: render the destinations from configurations of their own",
					r.Account,
				)
			}
			boundary = r.Boundary
		}
	}
	made := map[string]string{}
	principal := func(arn string) any {
		if name, ok := made[arn]; ok {
			return getAtt(name, "Arn")
		}
		return arn
	}
	for _, r := range t.Roles {
		if r.Account != t.place.account {
			continue
		}
		name := t.logical.name(r.ARN, logicalName("Role", r.Name))
		properties := object{
			{"RoleName", r.Name}, {"Path", r.Path},
			{"MaxSessionDuration", int(r.MaxSession / time.Second)},
			{"PermissionsBoundary", object{{"Fn::If", []any{"HasBoundary", ref("PermissionsBoundaryArn"), ref("AWS::NoValue")}}}},
			{"AssumeRolePolicyDocument", document(r.Trust, principal)},
		}
		if !r.Inline.Empty() {
			properties = append(
				properties,
				member{"Policies", []any{object{{"PolicyName", setup.InlineName}, {"PolicyDocument", document(r.Inline, principal)}}}},
			)
		}
		t.add(name, "AWS::IAM::Role", member{"Properties", properties})
		t.output(name+"Arn", "The role of "+strings.Join(r.Destinations, ", "), getAtt(name, "Arn"))
		made[r.ARN] = name
	}
	for _, s := range t.Sources {
		if s.Inline.Empty() || s.Account != t.place.account {
			continue
		}
		kind, key := "AWS::IAM::RolePolicy", "RoleName"
		if awsarn.ResourceType(s.ARN) == "user" {
			kind, key = "AWS::IAM::UserPolicy", "UserName"
		}
		t.add(t.logical.name(s.ARN, logicalName("RunsAs", lastOf(s.ARN))), kind,
			member{"Properties", object{{key, lastOf(s.ARN)}, {"PolicyName", setup.InlineName}, {"PolicyDocument", document(s.Inline, principal)}}})
		if len(t.outputs) == 0 {
			t.output("RunsAs", "The identity that brokerd runs as", s.ARN)
		}
	}
	if len(made) == 0 {
		return t.body("What brokerd runs as, in account " + t.place.account), nil
	}
	return t.body(
		"The roles that brokerd assumes, in account "+t.place.account,
		member{"Parameters", object{{"PermissionsBoundaryArn", object{
			{"Description", "Managed policy that bounds the roles; empty for none"}, {"Type", "String"}, {"Default", boundary},
		}}}},
		member{
			"Conditions",
			object{{"HasBoundary", object{{"Fn::Not", []any{object{{"Fn::Equals", []any{ref("PermissionsBoundaryArn"), ""}}}}}}}},
		},
	), nil
}

//go:embed merge_lambda.py
var mergeFunction string

func (t *template) target() (object, error) {
	var keys, buckets []any // ARNs of the documents that the merging function may change
	existing := false
	for _, k := range t.Keys {
		if (place{k.Account, k.Region}) != t.place {
			continue
		}
		keys = append(keys, k.ARN)
		if err := t.merge(logicalName("KeyPolicy", lastOf(k.ARN)), "key", k.ARN, k.Policy, object{}); err != nil {
			return nil, err
		}
		t.output(t.logical.name(k.ARN, logicalName("Key", lastOf(k.ARN))), "The key of "+strings.Join(k.Destinations, ", "), k.ARN)
	}
	for _, b := range t.Buckets {
		if (place{b.Account, b.Region}) != t.place {
			continue
		}
		name := t.logical.name(b.ARN, logicalName("Bucket", b.Name))
		if b.Create {
			t.bucket(name, b)
			t.output(name, "The bucket of "+strings.Join(b.Destinations, ", "), ref(name+"Made"))
			continue
		}
		existing = true
		buckets = append(buckets, b.ARN)
		if err := t.merge(name+"Policy", "bucket", b.Name, b.Policy, bucketSettings(b)); err != nil {
			return nil, err
		}
		t.output(name, "The bucket of "+strings.Join(b.Destinations, ", "), b.Name)
	}
	var sections []member
	for _, tr := range t.Trails {
		if (place{tr.Account, tr.Region}) == t.place {
			sections = append(sections, member{"Metadata", object{{"NotInThisTemplate", fmt.Sprintf(
				"Trail %s is to record writes to %s. CloudFormation cannot add a selector to a trail that it does not own: add it where the trail is "+
					"managed, or with `brokerctl setup render -o cli`.",
				tr.ARN,
				strings.Join(tr.Objects, ", "),
			)}}})
		}
	}
	if len(keys)+len(buckets) > 0 {
		t.function(keys, buckets)
	}
	if existing {
		sections = append(sections, member{"Parameters", object{{"BucketSettings", object{
			{
				"Description",
				"Of ownership, public_access, lifecycle, encryption, access_logs: settings to change on existing buckets. " +
					"The last two replace the existing value",
			},
			{"Type", "CommaDelimitedList"}, {"Default", settingOwnership + "," + settingPublic + "," + settingLifecycle},
		}}}})
	}
	if len(t.resources) == 0 { // a trail alone
		return nil, fmt.Errorf(
			"in account %s and Region %s only a trail is to be changed, which CloudFormation cannot do: use -o cli",
			t.place.account,
			t.place.region,
		)
	}
	return t.body("The policies of brokerd's key and bucket, in account "+t.place.account, sections...), nil
}

// merge asks the function for statements in a policy that others share.
func (t *template) merge(name, kind, target string, p setup.Policy, settings object) error {
	statements, err := json.Marshal(p.Statement)
	if err != nil {
		return err
	}
	set, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	use := any([]any{})
	if len(settings) > 0 {
		use = ref("BucketSettings")
	}
	t.add(name, "Custom::BrokerdStatements", member{"Properties", object{
		{"ServiceToken", getAtt("MergeFunction", "Arn")},
		{"Kind", kind}, {"Target", target}, {"Statements", string(statements)}, {"Settings", string(set)}, {"Use", use},
	}})
	return nil
}

// lifecycleRules are the rules as the API of S3 takes them.
func lifecycleRules(b setup.Bucket) []any {
	rules := make([]any, len(b.Lifecycle))
	for i, r := range b.Lifecycle {
		rules[i] = object{
			{"ID", r.ID},
			{"Status", "Enabled"},
			{"Filter", object{{"Prefix", r.Prefix}}},
			{"AbortIncompleteMultipartUpload", object{{"DaysAfterInitiation", r.AbortIncompleteDays}}},
		}
	}
	return rules
}

// bucketSettings are calls of the function's SDK, by the names that a parameter chooses them by.
func bucketSettings(b setup.Bucket) object {
	call := func(name string, arguments object) []any { return []any{name, arguments} }
	out := object{
		{
			settingOwnership,
			call("put_bucket_ownership_controls", object{{"OwnershipControls", object{{"Rules", []any{object{{"ObjectOwnership", b.Ownership}}}}}}}),
		},
		{settingPublic, call("put_public_access_block", object{{"PublicAccessBlockConfiguration", publicAccess(b.PublicAccess)}})},
		{settingLifecycle, call("put_bucket_lifecycle_configuration", object{{"LifecycleConfiguration", object{{"Rules", lifecycleRules(b)}}}})},
		{settingEncryption, call("put_bucket_encryption", object{{"ServerSideEncryptionConfiguration", object{{"Rules", []any{object{
			{
				"ApplyServerSideEncryptionByDefault",
				object{{"SSEAlgorithm", b.Encryption.Algorithm}, {"KMSMasterKeyID", b.Encryption.KeyARN}},
			}, {"BucketKeyEnabled", b.Encryption.BucketKey},
		}}}}}})},
	}
	if b.Logging != nil {
		out = append(
			out,
			member{
				settingLogging,
				call(
					"put_bucket_logging",
					object{
						{"BucketLoggingStatus", object{{"LoggingEnabled", object{{"TargetBucket", b.Logging.Bucket}, {"TargetPrefix", b.Logging.Prefix}}}}},
					},
				),
			},
		)
	}
	return out
}

func publicAccess(p setup.PublicAccess) object {
	return object{
		{"BlockPublicAcls", p.BlockPublicACLs},
		{"IgnorePublicAcls", p.IgnorePublicACLs},
		{"BlockPublicPolicy", p.BlockPublicPolicy},
		{"RestrictPublicBuckets", p.RestrictPublicBuckets},
	}
}

// function makes the merging function with rights for these policies alone.
func (t *template) function(keys, buckets []any) {
	statements := []any{
		object{
			{"Effect", "Allow"},
			{"Action", []any{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}},
			{"Resource", object{{"Fn::Sub", "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"}}},
		},
	}
	if len(keys) > 0 {
		statements = append(
			statements,
			object{{"Effect", "Allow"}, {"Action", []any{"kms:GetKeyPolicy", "kms:PutKeyPolicy"}}, {"Resource", keys}},
		)
	}
	if len(buckets) > 0 {
		statements = append(statements, object{{"Effect", "Allow"}, {"Action", []any{
			"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock",
			"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration", "s3:PutEncryptionConfiguration", "s3:PutBucketLogging",
		}}, {"Resource", buckets}})
	}
	trust := object{
		{"Version", "2012-10-17"},
		{
			"Statement",
			[]any{object{{"Effect", "Allow"}, {"Principal", object{{"Service", "lambda.amazonaws.com"}}}, {"Action", "sts:AssumeRole"}}},
		},
	}
	t.resources = append(object{
		{"MergeRole", object{{"Type", "AWS::IAM::Role"}, {"Properties", object{
			{"AssumeRolePolicyDocument", trust},
			{"Policies", []any{object{{"PolicyName", "merge"}, {"PolicyDocument", object{{"Version", "2012-10-17"}, {"Statement", statements}}}}}},
		}}}},
		{"MergeFunction", object{{"Type", "AWS::Lambda::Function"}, {"Properties", object{
			{"Description", "Merges the statements of brokerd into policies that others share"},
			{"Runtime", "python3.13"}, {"Handler", "index.handler"}, {"Timeout", 180}, {"Role", getAtt("MergeRole", "Arn")},
			{"Code", object{{"ZipFile", mergeFunction}}},
		}}}},
	}, t.resources...)
}

// bucket makes a bucket that is all ours.
func (t *template) bucket(name string, b setup.Bucket) {
	rules := make([]any, len(b.Lifecycle))
	for i, r := range b.Lifecycle {
		rule := object{{"Id", r.ID}, {"Status", "Enabled"}}
		if r.Prefix != "" {
			rule = append(rule, member{"Prefix", r.Prefix})
		}
		rules[i] = append(rule, member{"AbortIncompleteMultipartUpload", object{{"DaysAfterInitiation", r.AbortIncompleteDays}}})
	}
	properties := object{
		{"BucketName", b.Name},
		{"OwnershipControls", object{{"Rules", []any{object{{"ObjectOwnership", b.Ownership}}}}}},
		{"PublicAccessBlockConfiguration", publicAccess(b.PublicAccess)},
		{"BucketEncryption", object{{"ServerSideEncryptionConfiguration", []any{object{
			{"BucketKeyEnabled", b.Encryption.BucketKey},
			{"ServerSideEncryptionByDefault", object{{"SSEAlgorithm", b.Encryption.Algorithm}, {"KMSMasterKeyID", b.Encryption.KeyARN}}},
		}}}}},
		{"LifecycleConfiguration", object{{"Rules", rules}}},
	}
	if b.Logging != nil {
		properties = append(
			properties,
			member{"LoggingConfiguration", object{{"DestinationBucketName", b.Logging.Bucket}, {"LogFilePrefix", b.Logging.Prefix}}},
		)
	}
	t.add(
		name+"Made",
		"AWS::S3::Bucket",
		member{"DeletionPolicy", "Retain"},
		member{"UpdateReplacePolicy", "Retain"},
		member{"Properties", properties},
	)
	asIs := func(arn string) any { return arn }
	t.add(
		name+"Policy",
		"AWS::S3::BucketPolicy",
		member{"Properties", object{{"Bucket", ref(name + "Made")}, {"PolicyDocument", document(b.Policy, asIs)}}},
	)
}
