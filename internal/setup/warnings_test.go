package setup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// planned is the plan over accounts that are as a state asks, but for a change.
func planned(t *testing.T, yaml string, change func(*Snapshot)) *Plan {
	t.Helper()
	s, err := StateOf(loadConfig(t, yaml))
	if err != nil {
		t.Fatal(err)
	}
	snap := arranged(t, s, nil)
	for _, b := range snap.Buckets {
		b.Ownership, b.Encryption, b.Lifecycle = KnownPart("BucketOwnerEnforced"), KnownPart(s.Buckets[0].Encryption),
			KnownPart(s.Buckets[0].Lifecycle)
	}
	for _, id := range snap.Identities {
		id.Info = KnownPart(IdentityInfo{MaxSession: s.Roles[0].MaxSession})
	}
	change(snap)
	p, err := NewPlan(s, snap, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// and adds a statement to a policy, before ours.
func and(doc, statement string) string {
	return strings.Replace(doc, `"Statement": [`, `"Statement": [`+statement+`,`, 1)
}

func TestWarnings(t *testing.T) {
	const (
		role = "arn:aws:iam::111122223333:role/Up"
		app  = "arn:aws:iam::111122223333:role/app"
		key  = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
	)
	keyStatement := func(condition string) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Keys[key].Policy.Value = and(s.Keys[key].Policy.Value,
				`{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"`+role+`"},"Action":"kms:Decrypt","Resource":"*","Condition":`+condition+`}`)
		}
	}
	keyInfo := func(info KeyInfo) func(*Snapshot) {
		return func(s *Snapshot) { s.Keys[key].Info = KnownPart(info) }
	}
	ec2 := strings.Replace(asRole, "type: role", "type: ec2", 1)
	for name, c := range map[string]struct {
		yaml   string
		change func(*Snapshot)
		want   string // the code; "" for none
	}{
		"all as it should be": {stanza + asRole, func(*Snapshot) {}, ""},
		"a deleted principal": {stanza + asRole, func(s *Snapshot) {
			b := s.Buckets["tenant-bucket"]
			b.Policy.Value = strings.ReplaceAll(b.Policy.Value, role, "AROAABCDEFGHIJKLMNOPQ")
		}, WarnStalePrincipal},
		"somebody's deleted principal": {stanza + asRole, func(s *Snapshot) {
			b := s.Buckets["tenant-bucket"]
			b.Policy.Value = and(b.Policy.Value, `{"Effect":"Allow","Principal":{"AWS":"AIDAABCDEFGHIJKLMNOPQ"},"Action":"s3:GetObject",`+
				`"Resource":"arn:aws:s3:::tenant-bucket/*"}`)
		}, WarnStalePrincipal},
		"a public statement": {stanza + asRole, func(s *Snapshot) {
			b := s.Buckets["tenant-bucket"]
			b.Policy.Value = and(b.Policy.Value, `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",`+
				`"Resource":"arn:aws:s3:::tenant-bucket/*"}`)
		}, WarnPublicStatement},
		"a disabled key": {stanza + asRole,
			keyInfo(KeyInfo{State: "Disabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT"}), WarnKeyState},
		"a key for signatures": {stanza + asRole, keyInfo(KeyInfo{State: "Enabled", Spec: "RSA_2048", Usage: "SIGN_VERIFY"}),
			WarnKeyState},
		"AWS's own key": {stanza + asRole,
			keyInfo(KeyInfo{State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Manager: "AWS"}), WarnKeyState},
		"another Region's S3": {stanza + asRole,
			keyStatement(`{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}`), WarnViaService},
		"S3 of every Region": {stanza + asRole, keyStatement(`{"StringLike":{"kms:ViaService":"s3.*.amazonaws.com"}}`), ""},
		"the object's context with bucket keys": {stanza + asRole,
			keyStatement(`{"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::tenant-bucket/*"}}`), WarnContext},
		"the bucket's context with bucket keys": {stanza + asRole,
			keyStatement(`{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::tenant-bucket"}}`), ""},
		"the bucket's context without bucket keys": {stanza + "    bucket_key: false\n" + asRole,
			keyStatement(`{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::tenant-bucket"}}`), WarnContext},
		"a condition on the network that S3 has not": {stanza + asRole, func(s *Snapshot) {
			s.Identities[role].Attached.Value = []Document{
				{Name: "corp", ARN: "arn:aws:iam::111122223333:policy/corp",
					Text: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*",` +
						`"Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}}`},
			}
		}, WarnNetwork},
		"no source identity": {stanza + asRole, func(s *Snapshot) { s.Identities[app].Info = AbsentPart[IdentityInfo]() }, WarnNoSource},
		"a role that EC2 may not use": {stanza + ec2, func(s *Snapshot) {
			s.Identities[app].Trust = KnownPart(`{"Version":"2012-10-17",` +
				`"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
		}, WarnRuntime},
		"a role that EC2 uses": {stanza + ec2, func(s *Snapshot) {
			s.Identities[app].Trust = KnownPart(`{"Version":"2012-10-17",` +
				`"Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`)
		}, ""},
		"another default key": {stanza + asRole, func(s *Snapshot) {
			s.Buckets["tenant-bucket"].Encryption = KnownPart(Encryption{Algorithm: "aws:kms", KeyARN: key + "-other"})
		}, WarnDefaultKey},
		"a bucket policy that grows too large": {stanza + asRole, func(s *Snapshot) {
			b := s.Buckets["tenant-bucket"]
			var many strings.Builder
			for i := range 120 {
				fmt.Fprintf(&many, `{"Sid":"S%d","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/reader-%d"},`+
					`"Action":"s3:GetObject","Resource":"arn:aws:s3:::tenant-bucket/%d/*"},`, i, i, i)
			}
			b.Policy.Value = strings.Replace(b.Policy.Value, `"Statement": [`, `"Statement": [`+many.String(), 1)
		}, WarnSize},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, c.yaml, c.change)
			var codes []string
			for _, w := range p.Warnings {
				codes = append(codes, w.Code)
				if w.Message == "" || w.ARN == "" || w.Account == "" {
					t.Errorf("%+v", w)
				}
			}
			if c.want == "" && len(codes) > 0 || c.want != "" && !slices.Contains(codes, c.want) {
				t.Errorf("warnings %v, want %q", codes, c.want)
			}
		})
	}
}

// The proof finds every foreign Deny that hits our uploads, also one without a warning.
func TestTheProofSeesOtherPeoplesDenies(t *testing.T) {
	p := planned(t, stanza+asRole, func(s *Snapshot) {
		b := s.Buckets["tenant-bucket"]
		b.Policy.Value = and(b.Policy.Value, `{"Sid":"OurVPCOnly","Effect":"Deny","Principal":"*","Action":"s3:*",`+
			`"Resource":"arn:aws:s3:::tenant-bucket/*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}`)
	})
	if p.Proven() == Holds {
		t.Errorf("%+v", p.Proof)
	}
}
