package fixproof

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// variation changes one thing of a request.
type variation struct {
	name   string
	change func(*iampolicy.Request)
	guard  bool // it takes away a key that guards the request
	away   bool // on a resource that has a policy of its own
	free   bool // the caller itself may vary it: the request does not carry the key
}

func (v variation) apply(r *iampolicy.Request) {
	if v.change != nil {
		v.change(r)
	}
}

// move gives a resource that the documents are not about a policy that allows
// everything: the policies of the caller decide.
func (v variation) move(sc *iampolicy.Scenario) {
	if !v.away {
		return
	}
	if doc, err := iampolicy.Parse([]byte(openResourcePolicy)); err == nil {
		sc.Policies.Resource, sc.PublicAccessBlock = doc, nil
	}
}

// set sets a context key in place; an empty list removes it.
func set(context map[string][]string, key string, values []string) {
	for k := range context {
		if strings.EqualFold(k, key) {
			delete(context, k)
		}
	}
	if len(values) > 0 {
		context[key] = values
	}
}

func withKey(name, key string, guard, free bool, values ...string) variation {
	return variation{name: name, guard: guard, free: free, change: func(r *iampolicy.Request) { set(r.Context, key, values) }}
}

func (j *judge) variations() []variation {
	var out []variation
	context := j.after.Request.Context
	for _, key := range j.words.keys {
		lower := strings.ToLower(key)
		if timeKey(lower) || identityKey(lower) {
			continue
		}
		got := first(context, key)
		guard := guardKey(lower)
		// The caller of the request may send more than before, and is who it is.
		free := got == "" || callerKey(key) || yesKey(lower) && !strings.EqualFold(got, "true")
		if got != "" {
			out = append(out, withKey("without "+key, key, guard, free))
		}
		for _, value := range append([]string{otherValue(lower, got)}, j.words.values[lower]...) {
			if value != got {
				out = append(out, withKey(key+"="+value, key, guard, free, value))
			}
		}
	}
	if !strings.EqualFold(first(context, "aws:SecureTransport"), "false") {
		spoken := j.speaksOf("aws:securetransport")
		out = append(out, withKey("over plain HTTP", "aws:SecureTransport", spoken, !spoken, "false"))
	}
	out = append(out, j.encryption()...)
	for i, conditions := range j.words.statements {
		out = append(
			out,
			variation{
				name:   fmt.Sprintf("as statement %d of the documents wants it", i+1),
				free:   true,
				change: func(r *iampolicy.Request) { satisfy(r.Context, conditions) },
			},
		)
	}
	return append(out, j.elsewhere()...)
}

func (j *judge) speaksOf(key string) bool {
	_, ok := j.words.values[key]
	return ok
}

// encryption varies the headers of server-side encryption together.
func (j *judge) encryption() []variation {
	if !strings.HasPrefix(strings.ToLower(j.after.Request.Action), "s3:") {
		return nil
	}
	guard := j.speaksOf(encryptionPrefix) || j.speaksOf(encryptionPrefix+"-aws-kms-key-id")
	free := !guard || first(j.after.Request.Context, encryptionPrefix) == ""
	headers := func(name string, values ...string) variation {
		return variation{name: name, guard: guard, free: free, change: func(r *iampolicy.Request) {
			for _, h := range []string{"", "-aws-kms-key-id", "-bucket-key-enabled", "-context"} {
				set(r.Context, encryptionPrefix+h, nil)
			}
			for i := 0; i+1 < len(values); i += 2 {
				set(r.Context, encryptionPrefix+values[i], []string{values[i+1]})
			}
		}}
	}
	const key = "arn:aws:kms:eu-west-1:" + strangerAccount + ":key/00000000-0000-0000-0000-000000000000"
	return []variation{
		headers("without encryption headers"),
		headers("with SSE-S3", "", "AES256"),
		headers("with SSE-KMS", "", "aws:kms"),
		headers("with another key", "", "aws:kms", "-aws-kms-key-id", key),
	}
}

// bucketOf is the bucket of an S3 ARN; empty for any other.
func bucketOf(resource string) string {
	a, err := awsarn.Parse(resource)
	if err != nil || a.Service != "s3" {
		return ""
	}
	bucket, _, _ := strings.Cut(a.Resource, "/")
	return bucket
}

// elsewhere varies the action and the resource.
func (j *judge) elsewhere() []variation {
	r := &j.after.Request
	var out []variation
	home := bucketOf(r.Resource)
	at := func(name, resource string) {
		if resource == r.Resource || r.Resource == "*" || r.Resource == "" {
			return
		}
		out = append(
			out,
			variation{name: name, away: home == "" || bucketOf(resource) != home, change: func(r *iampolicy.Request) { r.Resource = resource }},
		)
	}
	if a, err := awsarn.Parse(r.Resource); err == nil {
		at("on another "+a.Service+" resource", r.Resource+"x")
		if home != "" {
			at("on another object", awsarn.Bucket(a.Partition, home)+"/"+strangerName)
			at("on the bucket", awsarn.Bucket(a.Partition, home))
			at("on another bucket", awsarn.Bucket(a.Partition, strangerName)+"/x")
		}
		for i, resource := range j.words.resources {
			if b, err := awsarn.Parse(resource); err == nil && i < 8 && b.Service == a.Service {
				at("on "+resource, resource)
			}
		}
	}
	service, _, _ := strings.Cut(r.Action, ":")
	actions := map[string][]string{
		"s3":  {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutObjectAcl"},
		"kms": {"kms:Decrypt", "kms:Encrypt", "kms:CreateGrant", "kms:PutKeyPolicy"},
		"sts": {"sts:AssumeRole", "sts:TagSession"},
	}[strings.ToLower(service)]
	for _, action := range j.words.actions {
		if len(actions) < 10 && strings.HasPrefix(strings.ToLower(action), strings.ToLower(service)+":") {
			actions = append(actions, action)
		}
	}
	for _, action := range actions {
		if !strings.EqualFold(action, r.Action) {
			out = append(out, variation{name: "for " + action, change: func(r *iampolicy.Request) { r.Action = action }})
		}
	}
	return out
}
