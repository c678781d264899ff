package verify

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// command returns a fix as a command for a shell that is signed in to the account.
// It reads the document again and changes one statement of it. It needs the AWS CLI
// and jq.
func (x *fixes) command(kind string, f report.Fix) string {
	filter := x.jqFilter(kind, f)
	if filter == "" {
		return ""
	}
	region := " --region " + x.dest.Region
	name := roleName(f.Target)
	if strings.Contains(f.Target, ":policy/") {
		version := `$(aws iam get-policy --policy-arn ` + f.Target + ` --query Policy.DefaultVersionId --output text)`
		return pipe(
			"aws iam get-policy-version --policy-arn "+f.Target+" --version-id \""+version+"\" --query PolicyVersion.Document --output json",
			filter,
			"aws iam create-policy-version --policy-arn "+f.Target+" --set-as-default --policy-document",
		)
	}
	switch kind {
	case report.ArtefactTrust:
		return pipe("aws iam get-role --role-name "+name+" --query Role.AssumeRolePolicyDocument --output json", filter,
			"aws iam update-assume-role-policy --role-name "+name+" --policy-document")
	case report.ArtefactIdentity, report.ArtefactSourcePolicy:
		return x.inlineCommand(f, filter)
	case report.ArtefactBucketPolicy, report.ArtefactIdentityBucket:
		return x.bucketCommand(filter)
	case report.ArtefactKeyPolicy, report.ArtefactIdentityKey:
		return pipe("aws kms get-key-policy"+region+" --key-id "+x.dest.KMSKey+" --query Policy --output text", filter,
			"aws kms put-key-policy"+region+" --key-id "+x.dest.KMSKey+" --policy-name default --policy")
	}
	return ""
}

// inlineCommand changes an inline policy of a role or a user. A new statement is a
// policy of its own, which must not exist yet.
func (x *fixes) inlineCommand(f report.Fix, filter string) string {
	verb, who := "role", "--role-name "+roleName(f.Target)
	if strings.Contains(f.Target, ":user/") {
		verb, who = "user", "--user-name "+f.Target[strings.LastIndexByte(f.Target, '/')+1:]
	}
	policy := " --policy-name " + quote(f.Policy)
	get := fmt.Sprintf("aws iam get-%s-policy %s%s --query PolicyDocument --output json", verb, who, policy)
	put := fmt.Sprintf("aws iam put-%s-policy %s%s --policy-document", verb, who, policy)
	if f.Kind == report.FixAddStatement {
		// Any other answer than "there is none" writes nothing.
		return `if found="$(` + get + ` 2>&1)"; then echo ` + quote("policy "+f.Policy+" exists: compare it first") +
			` >&2; false; else case "$found" in *NoSuchEntity*) ` + put + " " +
			quote(`{"Version":"2012-10-17","Statement":[`+string(f.Patch)+`]}`) + ` ;; *) printf '%s\n' "$found" >&2; false ;; esac; fi`
	}
	return pipe(get, filter, put)
}

// bucketCommand changes the bucket policy, or writes the first one.
func (x *fixes) bucketCommand(filter string) string {
	get := "aws s3api get-bucket-policy --bucket " + x.dest.Bucket + " --query Policy --output text"
	first := get + " || { " + get + " 2>&1 | grep -q NoSuchBucketPolicy && echo " + quote(`{"Version":"2012-10-17","Statement":[]}`) + "; }"
	return `policy="$(` + first + `)" && policy="$(printf '%s' "$policy" | jq -c ` + quote(filter) + `)" && test -n "$policy" && ` +
		"aws s3api put-bucket-policy --bucket " + x.dest.Bucket + ` --policy "$policy"`
}

// jqFilter returns the jq program of a fix; empty for a fix that changes no statement.
// The program compares the document with the one that verify read, and stops when it
// differs. It is built without text/template, which would keep every exported method of
// the daemon's libraries in its binary.
func (x *fixes) jqFilter(kind string, f report.Fix) string {
	const list = `.Statement |= (if type=="array" then . else [.] end)`
	switch f.Kind {
	case report.FixAddStatement:
		if len(f.Patch) == 0 {
			return ""
		}
		return list + x.sidIsFree(kind, f) + " | .Statement += [" + string(f.Patch) + "]"
	case report.FixReplaceStatement, report.FixRemoveStatement:
		if f.Statement == nil || !json.Valid([]byte(f.Statement.Text)) || f.Kind == report.FixReplaceStatement && len(f.Patch) == 0 {
			return ""
		}
		change := "del(.Statement[$i])"
		if len(f.Patch) > 0 {
			change = ".Statement[$i] = " + string(f.Patch)
		}
		return list + " | (.Statement | map(. == " + strings.TrimSpace(f.Statement.Text) + ") | index(true)) as $i\n" +
			`| if $i == null then error("the statement is not in the document as it was read: run verify again") else . end` +
			"\n| " + change
	default:
		return ""
	}
}

// sidIsFree stops at another statement with the Sid of the new one, and removes an older
// copy of it.
func (x *fixes) sidIsFree(kind string, f report.Fix) string {
	sid := jsonString(parseStatement(string(f.Patch)).Sid)
	if sid == "" {
		return ""
	}
	foreign := ""
	switch kind {
	case report.ArtefactBucketPolicy, report.ArtefactKeyPolicy, report.ArtefactIdentityBucket, report.ArtefactIdentityKey:
		foreign = " and (tostring | contains(" + jsonString(x.dest.Role) + ") | not)"
	}
	return "\n| if any(.Statement[]; .Sid == " + sid + foreign + `) then error("the document has another statement with the Sid " + ` +
		sid + ` + ": compare them first") else . end` + "\n| .Statement |= map(select(.Sid != " + sid + "))"
}

func jsonString(s string) string {
	if s == "" {
		return ""
	}
	data, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(data)
}

// pipe reads, changes and writes. A document that cannot be read or that differs is
// not written.
func pipe(get, filter, put string) string {
	return fmt.Sprintf(`policy="$(%s | jq -c %s)" && test -n "$policy" && %s "$policy"`, get, quote(filter), put)
}

// quote makes text one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// trailQuery returns the command that finds a refusal in CloudTrail. Calls to S3
// objects are data events, which LookupEvents does not have: the command asks the
// first event data store for them.
func (x *fixes) trailQuery(action string) string {
	region := " --region " + x.dest.Region
	if strings.HasPrefix(action, "kms:") || strings.HasPrefix(action, "sts:") {
		return "aws cloudtrail lookup-events" + region + " --lookup-attributes AttributeKey=Username,AttributeValue=" + quote(x.sessionName()) +
			" --query 'Events[].CloudTrailEvent' --output text"
	}
	return `store="$(aws cloudtrail list-event-data-stores` + region + ` --query 'EventDataStores[0].EventDataStoreArn' --output text)" && ` +
		`test "$store" != None && aws cloudtrail start-query` + region + ` --query-statement "SELECT eventTime, eventName, errorCode, ` +
		`errorMessage, ` +
		`vpcEndpointId, requestID FROM ${store##*/} WHERE userIdentity.arn = '` + x.sessionARN() + `' AND errorCode = 'AccessDenied'"`
}
