package iampolicy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLintRules has, for each rule, a policy that breaks it and one next to it that does not.
func TestLintRules(t *testing.T) {
	const oidc = `"Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},` +
		`"Action":"sts:AssumeRoleWithWebIdentity"`
	web := func(condition string) string {
		return policy12(`{"Effect":"Allow",` + oidc + condition + `}`)
	}
	key := func(values string) string {
		return policy12(`{"Effect":"Allow","Principal":{"AWS":"` + roleA +
			`"},"Action":"kms:GenerateDataKey","Resource":"*","Condition":{"StringLike":{"kms:EncryptionContext:aws:s3:arn":` + values + `}}}`)
	}
	principal := func(arn string) string {
		return policy12(`{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`)
	}
	action := func(element string) string {
		return policy12(`{"Effect":"Allow",` + element + `,"Resource":"arn:aws:s3:::b/*"}`)
	}
	for _, c := range []struct {
		name, code string
		kind       Kind
		bad, good  []string
	}{
		{"principals that are no ARN of a principal", "POL050", KindBucket, []string{
			principal("arn:aws:iam::111122223333:role:role/x"), principal("arn:aws:iam::111122223333:role"), principal("arn:aws:iam::1111:role/x"),
			principal("arn:aws:iam::111122223333:role/"), principal("arn:aws:sts::111122223333:role/x"),
			principal("arn:aws:sts::111122223333:assumed-role/x"),
			principal("arn:aws:iam::111122223333:group/x"),
		}, []string{
			principal("arn:aws:iam::111122223333:role/path/x"), principal("arn:aws:iam::111122223333:user/x"),
			principal("arn:aws:iam::111122223333:root"), principal("arn:aws:sts::111122223333:assumed-role/x/s"),
			principal("arn:aws:sts::111122223333:federated-user/x"), principal("111122223333"),
			principal("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"),
		}},
		{"mixed partitions", "POL051", KindBucket, []string{
			policy12(`{"Effect":"Allow","Principal":{"AWS":"arn:aws-cn:iam::111122223333:role/x"},"Action":"s3:GetObject",` +
				`"Resource":"arn:aws:s3:::b/*"}`),
			policy12(`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",` +
				`"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws-us-gov:iam::111122223333:role/x"}}}`),
		}, []string{
			policy12(`{"Effect":"Allow","Principal":{"AWS":"arn:aws-cn:iam::111122223333:role/x"},"Action":"s3:GetObject",` +
				`"Resource":"arn:aws-cn:s3:::b/*"}`),
			policy12(`{"Effect":"Allow","Principal":{"AWS":"` + roleA + `"},"Action":"s3:GetObject","Resource":"arn:*:s3:::b/*"}`),
		}},
		{"actions that do not exist", "POL052", KindIdentity, []string{
			action(`"Action":"s3:PutObjekt"`), action(`"Action":"s3:ListObjects"`), action(`"Action":"s3:CreateMultipartUpload"`),
			action(`"Action":"kms:ReEncrypt"`), action(`"Action":"sts:AssumeRoles"`), action(`"Action":"iam:PassRoles"`),
			action(`"Action":"s3:Upload*"`), action(`"NotAction":["s3:PutObject","s3:HeadObject"]`),
		}, []string{
			action(`"Action":"s3:PutObject"`), action(`"Action":"S3:putobject"`), action(`"Action":"s3:Put*"`), action(`"Action":"kms:ReEncrypt*"`),
			action(`"Action":"*"`), action(`"Action":"sts:TagSession"`), action(`"Action":"iam:PassRole"`),
			action(`"Action":"newservice:DoesWhatever"`), action(`"NotAction":"s3:PutObject"`),
			action(`"Action":["s3:AbortMultipartUpload","s3:ListMultipartUploadParts","kms:GenerateDataKey","sts:SetSourceIdentity"]`),
		}},
		{"encryption contexts that do not fit with Bucket Keys", "POL053", KindKey, []string{
			key(`"arn:aws:s3:::b/*"`), key(`["arn:aws:s3:::other","arn:aws:s3:::b/logs/*"]`), key(`"b/*"`),
			key(`"arn:aws:kms:eu-west-1:444455556666:key/x"`),
		}, []string{
			key(`"arn:aws:s3:::b"`), key(`["arn:aws:s3:::b/*","arn:aws:s3:::b"]`), key(`["arn:aws:s3:::b","arn:aws:s3:::b/*"]`),
			key(`"arn:aws:s3:::b*"`), key(`"*"`),
		}},
		{"web identities without a subject", "POL054", KindTrust, []string{
			web(""), web(`,"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}`),
			web(`,"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"*"}}`),
			web(`,"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":["repo:o/r:*","repo:*"]}}`),
			web(`,"Condition":{"StringNotEquals":{"token.actions.githubusercontent.com:sub":"repo:o/r:ref:refs/heads/main"}}`),
			web(`,"Condition":{"StringEqualsIfExists":{"token.actions.githubusercontent.com:sub":"repo:o/r:ref:refs/heads/main"}}`),
			web(`,"Condition":{"StringEquals":{"oidc.example.com:sub":"x"}}`),
		}, []string{
			web(`,"Condition":{"StringEquals":{"token.actions.githubusercontent.com:sub":"repo:o/r:ref:refs/heads/main"}}`),
			web(`,"Condition":{"StringLike":{"Token.Actions.GithubUserContent.com:sub":"repo:o/r:*"}}`),
			policy12(trusts(aws(roleA), "")),
			policy12(`{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity",` +
				`"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"p"}}}`),
		}},
		{"aliases as the resource of cryptographic actions", "POL056", KindIdentity, []string{
			policy12(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:eu-west-1:444455556666:alias/x"}`),
			policy12(`{"Effect":"Deny","Action":"kms:*","Resource":["*","arn:aws:kms:*:444455556666:alias/*"]}`),
		}, []string{
			policy12(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:eu-west-1:444455556666:key/x"}`),
			policy12(`{"Effect":"Allow","Action":["kms:CreateAlias","kms:DeleteAlias"],"Resource":"arn:aws:kms:eu-west-1:444455556666:alias/x"}`),
		}},
		{"principals that call another action", "POL057", KindTrust, []string{
			strings.Replace(web(""), "AssumeRoleWithWebIdentity", "AssumeRole", 1),
			strings.Replace(web(""), "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", 1),
			strings.Replace(policy12(trusts(aws(roleA), "")), "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", 1),
		}, []string{
			web(""), strings.Replace(web(""), "AssumeRoleWithWebIdentity", "*", 1), policy12(trusts(aws(roleA), "")),
			policy12(`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:TagSession"}`),
		}},
		{"services without a domain", "POL058", KindBucket, []string{
			policy12(`{"Effect":"Allow","Principal":{"Service":"s3"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}`),
			policy12(`{"Effect":"Allow","Principal":{"Service":["logging.s3.amazonaws.com","CloudTrail"]},"Action":"s3:PutObject",` +
				`"Resource":"arn:aws:s3:::b/*"}`),
		}, []string{
			policy12(`{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}`),
		}},
		{"an account in an endpoint policy", "POL059", KindVPCEndpoint, []string{
			principal("arn:aws:iam::111122223333:root"), principal("111122223333"),
		}, []string{
			principal("*"), strings.Replace(principal("arn:aws:iam::111122223333:root"), "Allow", "Deny", 1),
		}},
		{"ARNs that differ in case only", "POL055", KindBucket, []string{
			policy12(`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/Up","arn:aws:iam::111122223333:role/up"]},` +
				`"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`),
			policy12(`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject",` +
				`"Resource":["arn:aws:s3:::b/Logs/*","arn:aws:s3:::b/logs/*"]}`),
		}, []string{
			policy12(`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject",` +
				`"Resource":["arn:aws:s3:::b/logs/*","arn:aws:s3:::b/logs/*"]}`),
		}},
		{"object actions on a bucket", "POL037", KindIdentity, []string{
			policy12(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b"}`),
			policy12(`{"Effect":"Allow","Action":"s3:PutObject","Resource":["arn:aws:s3:::b","arn:aws:s3:::c/*"]}`),
		}, []string{
			policy12(`{"Effect":"Allow","Action":"s3:PutObject","Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b"]}`),
			policy12(`{"Effect":"Allow","Action":"s3:PutObject","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/logs/*"]}`),
		}},
		{"wildcards under StringEquals", "POL044", KindTrust, []string{
			web(`,"Condition":{"StringEquals":{"token.actions.githubusercontent.com:sub":"repo:o/r:*"}}`),
			web(`,"Condition":{"StringNotEquals":{"token.actions.githubusercontent.com:sub":["x","repo:o/r:*"]}}`),
			web(`,"Condition":{"StringEqualsIgnoreCase":{"token.actions.githubusercontent.com:sub":"repo:o/r:*"}}`),
		}, []string{
			web(`,"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/r:*"}}`),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			codes := func(text string) (out []string) {
				for _, f := range LintText([]byte(text), c.kind) {
					out = append(out, f.Code)
				}
				return out
			}
			for _, text := range c.bad {
				if got := codes(text); !slices.Contains(got, c.code) {
					t.Errorf("got %v, want %s for\n%s", got, c.code, text)
				}
			}
			for _, text := range c.good {
				if got := codes(text); slices.Contains(got, c.code) {
					t.Errorf("got %v, want no %s for\n%s", got, c.code, text)
				}
			}
		})
	}
}

func TestUnknownActionsAreSuggested(t *testing.T) {
	for action, want := range map[string]string{
		"s3:ListObjectsV2": "s3:ListBucket", "s3:CreateMultipartUpload": "s3:PutObject", "s3:PutObjekt": "s3:PutObject",
		"kms:GenerateDatakeys": "kms:GenerateDataKey", "sts:AsumeRole": "sts:AssumeRole", "iam:PassRol": "iam:PassRole",
		"s3:SomethingElseEntirely": "",
	} {
		if got, unknown := knownActions().unknown(action); !unknown || got != want {
			t.Errorf("%s: unknown %t, suggested %q, want %q", action, unknown, got, want)
		}
	}
}

// TestActionsAreThoseOfTheModels compares the table with the operations of the SDK's
// models in go.mod: each is an action, or has a line that names its action.
func TestActionsAreThoseOfTheModels(t *testing.T) {
	table := knownActions()
	for operation, action := range table.instead {
		if table.names[strings.ToLower(action)] != action {
			t.Errorf("%s > %s: there is no such action", operation, action)
		}
		if table.names[operation] != "" {
			t.Errorf("%s is an action and has another name", operation)
		}
	}
	for _, service := range []string{"s3", "kms", "sts", "iam"} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
		dir := strings.TrimSpace(string(out))
		if err != nil || dir == "" {
			t.Skipf("the SDK's source is not there: %v", err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		operations := map[string]bool{}
		for _, f := range files {
			name, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(f.Name()), ".go"), "api_op_")
			if !ok || strings.HasSuffix(name, "_test") {
				continue
			}
			lower := strings.ToLower(service + ":" + name)
			operations[lower] = true
			if table.names[lower] == "" && table.instead[lower] == "" {
				t.Errorf("%s:%s is in the SDK's model and not in actions.txt", service, name)
			}
		}
		if len(operations) < 10 {
			t.Errorf("%s: only %d operations in %s", service, len(operations), dir)
		}
		for line := range strings.SplitSeq(actionsText, "\n") {
			name, mark, _ := strings.Cut(line, " ")
			if service != "s3" && strings.HasPrefix(name, service+":") && mark == "" && !operations[strings.ToLower(name)] {
				t.Errorf("%s has no operation in the model; mark it with + if it is an action", name)
			}
		}
	}
}
