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

// eventSelectors is the answer of GetEventSelectors, with basic and advanced selectors.
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

// records reports whether the selectors include data events of writes to the object.
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
	return finding{
		Result:      report.Warn,
		Account:     account.ID,
		Artefact:    report.ArtefactTrail,
		ArtefactARN: r.bucketARN(),
		Confidence:  report.Strong,
		Detail: "no trail that was read records writes to the bucket, so CloudTrail does not show which session wrote an object, " +
			"or why a write was refused",
		Repair: report.Fix{
			Kind: report.FixSetting, Target: r.bucketARN(), Account: account, Owner: r.owner(report.ArtefactTrail, account),
			Text: "Add data events for write-only access to " + strings.TrimSuffix(
				r.objectsARN(),
				"*",
			) + " to the selectors of a trail, and keep its other selectors: " +
				"put-event-selectors replaces all of them. `brokerctl setup` does it with `trail`. CloudTrail bills data events by number.",
		},
	}
}

// checkEvent looks for events of the role's session.
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
		Detail: "no event of the session " + session + " was read; CloudTrail shows an event after some minutes",
		Repair: report.Fix{
			Kind:    report.FixSetting,
			Target:  r.dest.Role,
			Account: account,
			Owner:   r.owner(report.ArtefactTrail, account),
			Text:    "Look again after 15 minutes.",
			Command: r.fixes.trailQuery("sts:AssumeRole"),
		}}
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
	account := r.account(r.accountB())
	fix := report.Fix{Kind: report.FixSetting, Target: r.bucketARN(), Account: account, Owner: r.owner(report.ArtefactAccessLog, account)}
	f := finding{
		Result:      report.Warn,
		Account:     account.ID,
		Artefact:    report.ArtefactAccessLog,
		ArtefactARN: r.bucketARN(),
		Confidence:  report.Strong,
	}
	target := out.LoggingEnabled.TargetBucket
	if target == "" {
		f.Detail = "the bucket has no server access logs"
		fix.Text = "Name a bucket for the logs. `brokerctl setup` does it with `access_logs`."
		f.Repair = fix
		return f
	}
	where := target + "/" + out.LoggingEnabled.TargetPrefix
	var reached struct{ Problems []string }
	switch state, why := r.docs.state(report.DocumentLogTarget); {
	case state != report.Known:
		return r.notRead(report.DocumentLogTarget, account.ID, report.ArtefactAccessLog, "arn:"+r.partition()+":s3:::"+target, why)
	case !r.docs.setting(report.DocumentLogTarget, &reached):
		return r.notRead(
			report.DocumentLogTarget,
			account.ID,
			report.ArtefactAccessLog,
			"arn:"+r.partition()+":s3:::"+target,
			"it could not be decoded",
		)
	case len(reached.Problems) > 0:
		f.Detail = "S3 cannot deliver access logs to " + where + ": " + strings.Join(reached.Problems, "; ")
		fix.Text = "Correct the bucket " + target + ", or name another bucket for the logs."
		f.Repair = fix
		return f
	}
	return finding{Result: report.Pass, Detail: "in " + where}
}
