package collect

import (
	"encoding/json"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// FromSnapshot selects the documents of a destination from a snapshot of both accounts.
// source is the ARN of the identity that assumes its role; empty: unknown.
func FromSnapshot(dest *config.Destination, source string, snap setup.Snapshot) report.Policies {
	s := snapshotReader{}
	if role := snap.Identities[dest.Role]; role != nil {
		take(&s, report.DocumentTrust, role.ARN, "", role.Trust, func(text string) string { return text })
		s.identity(report.DocumentIdentity, role)
		take(&s, report.DocumentBoundary, role.Boundary.Value.ARN, role.Boundary.Value.Name, role.Boundary,
			func(d setup.Document) string { return d.Text })
		take(&s, report.DocumentRole, role.ARN, "", role.Info, func(i setup.IdentityInfo) string {
			return encode(map[string]any{"Role": map[string]any{"Arn": role.ARN, "RoleId": i.ID,
				"MaxSessionDuration": int(i.MaxSession.Seconds())}})
		})
	}
	if who := snap.Identities[awsarn.Role(source)]; who != nil {
		s.identity(report.DocumentSource, who)
	}
	if b := snap.Buckets[dest.Bucket]; b != nil {
		s.bucket(b)
		s.logTarget(dest, b, snap)
	}
	if k := snap.Keys[dest.KMSKey]; k != nil {
		take(&s, report.DocumentKeyPolicy, k.ARN, "", k.Policy, func(text string) string { return text })
		take(&s, report.DocumentKey, k.ARN, "", k.Info, func(i setup.KeyInfo) string {
			return encode(map[string]any{"KeyMetadata": map[string]any{"Arn": k.ARN, "KeyState": i.State, "KeySpec": i.Spec,
				"KeyUsage": i.Usage, "KeyManager": i.Manager}})
		})
	}
	for arn, t := range snap.Trails {
		take(&s, report.DocumentTrail, arn, arn, t.Objects, func(prefixes []string) string {
			return encode(map[string]any{"EventSelectors": []any{map[string]any{"ReadWriteType": "WriteOnly",
				"DataResources": []any{map[string]any{"Type": "AWS::S3::Object", "Values": prefixes}}}}})
		})
	}
	return s.out
}

type snapshotReader struct{ out report.Policies }

func (s *snapshotReader) add(d report.PolicyDocument) { s.out.Documents = append(s.out.Documents, d) }

// identity adds the policies of a role or user, inline and attached.
func (s *snapshotReader) identity(kind string, who *setup.Identity) {
	known := 0
	for _, part := range []setup.Part[[]setup.Document]{who.Inline, who.Attached} {
		switch part.Presence {
		case setup.Known:
			for _, d := range part.Value {
				known++
				s.add(report.PolicyDocument{Kind: kind, State: report.Known, ARN: orText(d.ARN, who.ARN), Name: d.Name, Text: d.Text})
			}
		case setup.Absent:
		default:
			s.add(report.PolicyDocument{Kind: kind, State: report.Unreadable, ARN: who.ARN, Reason: part.Reason})
			known++
		}
	}
	if known == 0 {
		s.add(report.PolicyDocument{Kind: kind, State: report.Absent, ARN: who.ARN})
	}
}

func (s *snapshotReader) bucket(b *setup.BucketAt) {
	take(s, report.DocumentBucketPolicy, "", b.Name, b.Policy, func(text string) string { return text })
	take(s, report.DocumentPublicAccess, "", b.Name, strictest(b.PublicAccess, b.AccountPublicAccess), func(p setup.PublicAccess) string {
		return encode(map[string]any{"PublicAccessBlockConfiguration": map[string]bool{
			"BlockPublicAcls": p.BlockPublicACLs, "IgnorePublicAcls": p.IgnorePublicACLs, "BlockPublicPolicy": p.BlockPublicPolicy,
			"RestrictPublicBuckets": p.RestrictPublicBuckets,
		}})
	})
	take(s, report.DocumentOwnership, "", b.Name, b.Ownership, func(o string) string {
		return encode(map[string]any{"OwnershipControls": map[string]any{"Rules": []any{map[string]string{"ObjectOwnership": o}}}})
	})
	take(s, report.DocumentEncryption, "", b.Name, b.Encryption, func(e setup.Encryption) string {
		return encode(map[string]any{"ServerSideEncryptionConfiguration": map[string]any{"Rules": []any{map[string]any{
			"ApplyServerSideEncryptionByDefault": map[string]string{"SSEAlgorithm": e.Algorithm, "KMSMasterKeyID": e.KeyARN},
			"BucketKeyEnabled":                   e.BucketKey,
		}}}})
	})
	take(s, report.DocumentLogging, "", b.Name, b.Logging, func(l setup.Logging) string {
		return encode(map[string]any{"LoggingEnabled": map[string]string{"TargetBucket": l.Bucket, "TargetPrefix": l.Prefix}})
	})
}

// logTarget adds the reasons why the bucket cannot receive access logs.
func (s *snapshotReader) logTarget(dest *config.Destination, b *setup.BucketAt, snap setup.Snapshot) {
	to := b.Logging.Value
	if !b.Logging.Is() || to.Bucket == "" {
		return
	}
	d := report.PolicyDocument{Kind: report.DocumentLogTarget, State: report.Unreadable, Name: to.Bucket, Reason: "the bucket " +
		to.Bucket + " was not read"}
	source := setup.BucketRef{Name: dest.Bucket, Account: dest.Owner, Region: dest.Region}
	if problems, ok := setup.LogTargetProblems(source, to, snap.LogTargets[to.Bucket]); ok {
		d.State, d.Reason, d.Text = report.Known, "", encode(map[string]any{"Problems": problems})
	}
	s.add(d)
}

// strictest returns the block in force: the stricter of bucket and account.
func strictest(bucket, account setup.Part[setup.PublicAccess]) setup.Part[setup.PublicAccess] {
	switch {
	case bucket.Presence == setup.Unread:
		return bucket
	case account.Presence == setup.Unread && (!bucket.Is() || !bucket.Value.RestrictPublicBuckets):
		return account
	}
	a, b := account.Value, bucket.Value
	return setup.KnownPart(setup.PublicAccess{
		BlockPublicACLs: a.BlockPublicACLs || b.BlockPublicACLs, IgnorePublicACLs: a.IgnorePublicACLs || b.IgnorePublicACLs,
		BlockPublicPolicy: a.BlockPublicPolicy || b.BlockPublicPolicy, RestrictPublicBuckets: a.RestrictPublicBuckets ||
			b.RestrictPublicBuckets,
	})
}

func take[T any](s *snapshotReader, kind, arn, name string, part setup.Part[T], text func(T) string) {
	d := report.PolicyDocument{Kind: kind, State: report.Unreadable, ARN: arn, Name: name, Reason: part.Reason}
	switch part.Presence {
	case setup.Known:
		d.State, d.Text = report.Known, text(part.Value)
	case setup.Absent:
		d.State = report.Absent
	}
	s.add(d)
}

func encode(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
