package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// command is a fix as one line for a shell that is signed in to the account. It
// reads the document again and changes one statement of it: what others changed
// since stays. It needs the AWS CLI and jq.
func (x *fixes) command(kind string, f report.Fix) string {
	filter := jqFilter(f)
	if filter == "" {
		return ""
	}
	region := " --region " + x.dest.Region
	name := roleName(f.Target)
	if strings.Contains(f.Target, ":policy/") {
		version := `$(aws iam get-policy --policy-arn ` + f.Target + ` --query Policy.DefaultVersionId --output text)`
		return pipe("aws iam get-policy-version --policy-arn "+f.Target+" --version-id \""+version+"\" --query PolicyVersion.Document --output json", filter,
			"aws iam create-policy-version --policy-arn "+f.Target+" --set-as-default --policy-document")
	}
	switch kind {
	case report.ArtefactTrust:
		return pipe("aws iam get-role --role-name "+name+" --query Role.AssumeRolePolicyDocument --output json", filter,
			"aws iam update-assume-role-policy --role-name "+name+" --policy-document")
	case report.ArtefactIdentity, report.ArtefactSourcePolicy:
		who := "role --role-name " + name
		if i := strings.Index(f.Target, ":user/"); i >= 0 {
			user := f.Target[strings.LastIndexByte(f.Target, '/')+1:]
			who = "user --user-name " + user
		}
		verb, who, _ := strings.Cut(who, " ")
		policy := " --policy-name " + quote(f.Policy)
		if f.Kind == report.FixAddStatement {
			return fmt.Sprintf("aws iam put-%s-policy %s%s --policy-document %s", verb, who, policy, quote(`{"Version":"2012-10-17","Statement":[`+string(f.Patch)+`]}`))
		}
		return pipe(fmt.Sprintf("aws iam get-%s-policy %s%s --query PolicyDocument --output json", verb, who, policy), filter,
			fmt.Sprintf("aws iam put-%s-policy %s%s --policy-document", verb, who, policy))
	case report.ArtefactBucketPolicy, report.ArtefactIdentityBucket:
		if state, _ := x.docs.state(report.DocumentBucketPolicy); state == report.Absent && f.Kind == report.FixAddStatement {
			return "aws s3api put-bucket-policy --bucket " + x.dest.Bucket + " --policy " + quote(`{"Version":"2012-10-17","Statement":[`+string(f.Patch)+`]}`)
		}
		return pipe("aws s3api get-bucket-policy --bucket "+x.dest.Bucket+" --query Policy --output text", filter, "aws s3api put-bucket-policy --bucket "+x.dest.Bucket+" --policy")
	case report.ArtefactKeyPolicy, report.ArtefactIdentityKey:
		return pipe("aws kms get-key-policy"+region+" --key-id "+x.dest.KMSKey+" --query Policy --output text", filter,
			"aws kms put-key-policy"+region+" --key-id "+x.dest.KMSKey+" --policy-name default --policy")
	}
	return ""
}

// jqFilter changes one statement of a document. A Statement may be an object
// instead of a list.
func jqFilter(f report.Fix) string {
	list := `.Statement |= if type=="array" then . else [.] end`
	switch {
	case f.Kind == report.FixAddStatement && len(f.Patch) > 0:
		if sid := parseStatement(string(f.Patch)).Sid; sid != "" {
			list += fmt.Sprintf(" | .Statement |= map(select(.Sid != %q))", sid)
		}
		return list + " | .Statement += [" + string(f.Patch) + "]"
	case f.Statement == nil || f.Statement.Index < 0:
	case f.Kind == report.FixReplaceStatement && len(f.Patch) > 0:
		return fmt.Sprintf("%s | .Statement[%d] = %s", list, f.Statement.Index, f.Patch)
	case f.Kind == report.FixRemoveStatement:
		return fmt.Sprintf("%s | del(.Statement[%d])", list, f.Statement.Index)
	}
	return ""
}

// pipe reads, changes and writes. A document that cannot be read is not written.
func pipe(get, filter, put string) string {
	return fmt.Sprintf(`policy="$(%s | jq -c %s)" && test -n "$policy" && %s "$policy"`, get, quote(filter), put)
}

// quote makes text one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// trailQuery finds a refusal in CloudTrail. Calls to S3 objects are data events,
// which LookupEvents does not have: they are in a trail's or an event data store.
func (x *fixes) trailQuery(action string) string {
	session := x.sessionARN()
	if strings.HasPrefix(action, "kms:") || strings.HasPrefix(action, "sts:") {
		name := session[strings.LastIndexByte(session, '/')+1:]
		return fmt.Sprintf("aws cloudtrail lookup-events --region %s --lookup-attributes AttributeKey=Username,AttributeValue=%s --query 'Events[].CloudTrailEvent' --output text", x.dest.Region, quote(name))
	}
	return fmt.Sprintf(`aws cloudtrail start-query --region %s --query-statement "SELECT eventTime, eventName, errorCode, errorMessage, vpcEndpointId, requestID FROM EVENT_DATA_STORE_ID WHERE userIdentity.arn = '%s' AND errorCode = 'AccessDenied'"`, x.dest.Region, session)
}
