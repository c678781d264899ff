package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeTrail     = "BRK-AUD-001"
	codeEvent     = "BRK-AUD-002"
	codeAccessLog = "BRK-AUD-003"
)

func auditChecks() []check {
	return []check{
		{codeTrail, report.CategoryAudit, "a trail records the writes to the bucket", nil, one(checkTrail)},
		{codeEvent, report.CategoryAudit, "CloudTrail shows the session of the role", nil, one(checkEvent)},
		{codeAccessLog, report.CategoryAudit, "the bucket keeps access logs", nil, one(checkAccessLog)},
	}
}

// eventSelectors is GetEventSelectors, in the old form and in the new.
type eventSelectors struct {
	EventSelectors []struct {
		ReadWriteType string
		DataResources []struct {
			Type   string
			Values []string
		}
	}
	AdvancedEventSelectors []struct {
		FieldSelectors []struct {
			Field              string
			Equals, StartsWith []string
		}
	}
}

// records says that data events of writes to the object are among those selected.
func (e eventSelectors) records(object string) bool {
	for _, s := range e.EventSelectors {
		if s.ReadWriteType == "ReadOnly" {
			continue
		}
		for _, d := range s.DataResources {
			for _, v := range d.Values {
				if d.Type == "AWS::S3::Object" && strings.HasPrefix(object, v) {
					return true
				}
			}
		}
	}
	for _, s := range e.AdvancedEventSelectors {
		data, objects, hit := false, false, true
		for _, f := range s.FieldSelectors {
			is := func(list []string, match func(string) bool) bool {
				for _, v := range list {
					if match(v) {
						return true
					}
				}
				return false
			}
			equals := func(want string) bool { return is(f.Equals, func(v string) bool { return v == want }) }
			switch f.Field {
			case "eventCategory":
				data = equals("Data")
			case "resources.type":
				objects = equals("AWS::S3::Object")
			case "readOnly":
				hit = hit && equals("false")
			case "resources.ARN":
				hit = hit && (equals(object) || is(f.StartsWith, func(v string) bool { return strings.HasPrefix(object, v) }))
			}
		}
		if data && objects && hit {
			return true
		}
	}
	return false
}

func checkTrail(_ context.Context, r *run) finding {
	state, why := r.docs.state(report.DocumentTrail)
	if state == report.Unreadable {
		return r.notRead(report.DocumentTrail, "", report.ArtefactTrail, "", why)
	}
	for _, d := range r.docs.byKind[report.DocumentTrail] {
		var s eventSelectors
		if d.State == report.Known && json.Unmarshal([]byte(d.Text), &s) == nil && s.records(r.objectARN()) {
			return finding{Result: report.Pass, Detail: orText(d.Name, "a trail") + " records them"}
		}
	}
	account := r.account(r.accountB())
	return finding{Result: report.Warn, Account: account.ID, Artefact: report.ArtefactTrail, ArtefactARN: r.bucketARN(), Confidence: report.Strong,
		Detail: "no trail that was read records the writes to the bucket: who wrote what does not show in CloudTrail. A refusal without a text cannot be looked up either",
		Repair: report.Fix{
			Kind: report.FixSetting, Target: r.bucketARN(), Account: account, Owner: r.owner(report.ArtefactTrail, account),
			Text:    "Add data events of the bucket's prefix to a trail. They are billed by the event.",
			Command: fmt.Sprintf(`aws cloudtrail put-event-selectors --region %s --trail-name TRAIL --advanced-event-selectors '[{"Name":"brokerd","FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]},{"Field":"readOnly","Equals":["false"]},{"Field":"resources.ARN","StartsWith":["%s"]}]}]'`, r.dest.Region, strings.TrimSuffix(r.objectsARN(), "*")),
		}}
}

// checkEvent looks for the role's session among the events that were read.
func checkEvent(_ context.Context, r *run) finding {
	state, why := r.docs.state(report.DocumentEvent)
	if state == report.Unreadable {
		return r.notRead(report.DocumentEvent, r.accountA(), report.ArtefactTrail, r.dest.Role, why)
	}
	session := r.sessionARN()
	for _, d := range r.docs.byKind[report.DocumentEvent] {
		var e struct {
			EventName         string `json:"eventName"`
			EventTime         string `json:"eventTime"`
			UserIdentity      struct{ ARN string }
			RequestParameters struct{ RoleArn, RoleSessionName string }
		}
		if json.Unmarshal([]byte(d.Text), &e) != nil {
			continue
		}
		if e.UserIdentity.ARN == session || e.RequestParameters.RoleArn == r.dest.Role && e.RequestParameters.RoleSessionName == r.sessionName() {
			return finding{Result: report.Pass, Detail: fmt.Sprintf("%s at %s, by %s", e.EventName, e.EventTime, session)}
		}
	}
	account := r.account(r.accountA())
	return finding{Result: report.Warn, Account: account.ID, Artefact: report.ArtefactTrail, ArtefactARN: r.dest.Role, Confidence: report.Weak,
		Detail: "no event that was read is of the session " + session + ": CloudTrail shows an event after minutes",
		Repair: report.Fix{Kind: report.FixSetting, Target: r.dest.Role, Account: account, Owner: r.owner(report.ArtefactTrail, account), Text: "Look again after 15 minutes.", Command: r.fixes.trailQuery("sts:AssumeRole")}}
}

func checkAccessLog(_ context.Context, r *run) finding {
	state, why := r.docs.state(report.DocumentLogging)
	if state == report.Unreadable {
		return r.notRead(report.DocumentLogging, r.accountB(), report.ArtefactAccessLog, r.bucketARN(), why)
	}
	var out struct {
		LoggingEnabled struct{ TargetBucket, TargetPrefix string }
	}
	r.docs.setting(report.DocumentLogging, &out)
	if target := out.LoggingEnabled.TargetBucket; target != "" {
		return finding{Result: report.Pass, Detail: "in " + target + "/" + out.LoggingEnabled.TargetPrefix}
	}
	account := r.account(r.accountB())
	return finding{Result: report.Warn, Account: account.ID, Artefact: report.ArtefactAccessLog, ArtefactARN: r.bucketARN(), Confidence: report.Strong,
		Detail: "the bucket keeps no access logs",
		Repair: report.Fix{Kind: report.FixSetting, Target: r.bucketARN(), Account: account, Owner: r.owner(report.ArtefactAccessLog, account), Text: "Name a bucket for the logs; setup does with `access_logs`.",
			Command: "aws s3api put-bucket-logging --bucket " + r.dest.Bucket + ` --bucket-logging-status '{"LoggingEnabled":{"TargetBucket":"LOGS","TargetPrefix":"` + r.dest.Bucket + `/"}}'`}}
}
