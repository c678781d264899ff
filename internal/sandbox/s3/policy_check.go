package s3

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// The checks of bucket policies, with S3's errors.

// policyField is one field of a JSON object.
type policyField struct {
	name  string
	value json.RawMessage
}

// policyFields reads an object, keeping the order and the repetitions of its fields.
func policyFields(raw json.RawMessage) ([]policyField, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, false
	}
	var out []policyField
	for dec.More() {
		tok, err := dec.Token()
		name, ok := tok.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return nil, false
		}
		out = append(out, policyField{name, value})
	}
	return out, true
}

// policyStrings reads a string or a list of strings.
func policyStrings(raw json.RawMessage) ([]string, bool) {
	var list []string
	if json.Unmarshal(raw, &list) == nil && list != nil {
		return list, true
	}
	var one string
	if json.Unmarshal(raw, &one) != nil || len(raw) == 0 || raw[0] != '"' {
		return nil, false
	}
	return []string{one}, true
}

// statementPairs are the elements of which a statement has one or the other.
var statementPairs = []struct{ name, not string }{{"Principal", "NotPrincipal"}, {"Action", "NotAction"}, {"Resource", "NotResource"}}

// checkBucketPolicy makes the checks that need the document only.
func checkBucketPolicy(data []byte, arn string) error {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	fields, ok := policyFields(data)
	if !ok || !json.Valid(data) {
		return malformedPolicy("This policy contains invalid Json")
	}
	var statements json.RawMessage
	for i, f := range fields {
		if slices.ContainsFunc(fields[:i], func(o policyField) bool { return o.name == f.name }) {
			return malformedPolicy("Statement/policy already has instance of %s", f.name)
		}
		switch f.name {
		case "Version":
			if v, ok := policyStrings(f.value); !ok || len(v) != 1 || v[0] != "2012-10-17" && v[0] != "2008-10-17" {
				return malformedPolicy("The policy must contain a valid version string")
			}
		case "Id":
			if v, ok := policyStrings(f.value); !ok || len(v) != 1 {
				return malformedPolicy("Invalid policy syntax.")
			}
		case "Statement":
			statements = f.value
		default:
			return malformedPolicy("Unknown field %s", f.name)
		}
	}
	if statements == nil {
		return malformedPolicy("Missing required field Statement")
	}
	list := []json.RawMessage{statements}
	if statements[0] == '[' && json.Unmarshal(statements, &list) != nil {
		return malformedPolicy("Invalid policy syntax.")
	}
	if len(list) == 0 {
		return malformedPolicy("Could not parse the policy: Statement is empty!")
	}
	for _, raw := range list {
		if err := checkBucketStatement(raw, arn); err != nil {
			return err
		}
	}
	return nil
}

func checkBucketStatement(raw json.RawMessage, arn string) error {
	fields, ok := policyFields(raw)
	if !ok {
		return malformedPolicy("Invalid policy syntax.")
	}
	st := map[string]json.RawMessage{}
	for _, f := range fields {
		switch f.name {
		case "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition":
		default:
			return malformedPolicy("Unknown field %s", f.name)
		}
		base := strings.TrimPrefix(f.name, "Not")
		if st[base] != nil || st["Not"+base] != nil {
			return malformedPolicy("Statement/policy already has instance of %s", base)
		}
		st[f.name] = f.value
	}
	if st["Effect"] == nil {
		return malformedPolicy("Missing required field Effect")
	}
	if effect, ok := policyStrings(st["Effect"]); !ok || len(effect) != 1 || effect[0] != "Allow" && effect[0] != "Deny" {
		return malformedPolicy("Invalid effect: %s", strings.Trim(string(st["Effect"]), `"`))
	}
	for _, p := range statementPairs {
		if st[p.name] == nil && st[p.not] == nil {
			return malformedPolicy("Missing required field %s", p.name)
		}
	}
	if err := checkBucketPrincipal(st); err != nil {
		return err
	}
	actions, err := checkBucketActions(st)
	if err != nil {
		return err
	}
	if err := checkBucketConditions(st["Condition"], actions); err != nil {
		return err
	}
	return checkBucketResources(st, actions, arn)
}

func invalidPrincipal(what string) error {
	return malformedPolicy("Invalid principal in policy").With("Detail", what)
}

// checkBucketPrincipal checks the form of a principal; IAM checks that it exists.
func checkBucketPrincipal(st map[string]json.RawMessage) error {
	raw := st["Principal"]
	if raw == nil {
		raw = st["NotPrincipal"]
	}
	if one, ok := policyStrings(raw); ok {
		if len(one) != 1 || one[0] != "*" {
			return invalidPrincipal(string(raw))
		}
		return nil
	}
	kinds, ok := policyFields(raw)
	if !ok || len(kinds) == 0 {
		return invalidPrincipal(string(raw))
	}
	for _, k := range kinds {
		if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, k.name) {
			return invalidPrincipal(`"` + k.name + `":` + string(k.value))
		}
		if values, ok := policyStrings(k.value); !ok || len(values) == 0 || slices.Contains(values, "") {
			return invalidPrincipal(`"` + k.name + `":` + string(k.value))
		}
	}
	return nil
}

// checkBucketActions returns the actions of a statement; nil for NotAction.
func checkBucketActions(st map[string]json.RawMessage) ([]string, error) {
	raw := st["Action"]
	if raw == nil {
		raw = st["NotAction"]
	}
	actions, ok := policyStrings(raw)
	if !ok || len(actions) == 0 {
		return nil, malformedPolicy("Policy has invalid action")
	}
	for _, a := range actions {
		if known, _, _ := actionReach(a); !known {
			return nil, malformedPolicy("Policy has invalid action").With("Detail", a)
		}
	}
	if st["Action"] == nil {
		return nil, nil
	}
	return actions, nil
}

// checkBucketResources refuses resources of other buckets, and actions that apply to none
// of the resources.
func checkBucketResources(st map[string]json.RawMessage, actions []string, arn string) error {
	raw := st["Resource"]
	if raw == nil {
		raw = st["NotResource"]
	}
	resources, ok := policyStrings(raw)
	if !ok || len(resources) == 0 {
		return malformedPolicy("Policy has invalid resource")
	}
	objects, buckets := false, false
	for _, r := range resources {
		below, ours := strings.CutPrefix(r, arn)
		if !ours || below != "" && below[0] != '/' && below[0] != '*' {
			return malformedPolicy("Policy has invalid resource").With("Detail", r)
		}
		objects = objects || below != ""
		buckets = buckets || below == "" || below[0] == '*'
	}
	if st["Resource"] == nil {
		return nil
	}
	for _, a := range actions {
		if _, object, bucket := actionReach(a); object && objects || bucket && buckets {
			continue
		}
		return malformedPolicy("Action does not apply to any resource(s) in statement")
	}
	return nil
}

func checkBucketConditions(raw json.RawMessage, actions []string) error {
	if raw == nil {
		return nil
	}
	operators, ok := policyFields(raw)
	if !ok {
		return malformedPolicy("Invalid policy syntax.")
	}
	for _, op := range operators {
		keys, ok := policyFields(op.value)
		if !ok {
			return malformedPolicy("Invalid policy syntax.")
		}
		for _, k := range keys {
			if !knownConditionKey(k.name) {
				return malformedPolicy("Policy has an invalid condition key")
			}
			if slices.ContainsFunc(actions, func(a string) bool { return !keyApplies(k.name, a) }) {
				return malformedPolicy("Conditions do not apply to combination of actions and resources in statement")
			}
			if err := checkConditionAddresses(op.name, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkConditionAddresses refuses values of address keys that are no addresses, under every
// operator.
func checkConditionAddresses(operator string, key policyField) error {
	name := strings.TrimSuffix(operator[strings.LastIndexByte(operator, ':')+1:], "IfExists")
	if name != "IpAddress" && name != "NotIpAddress" && !strings.EqualFold(key.name, "aws:SourceIp") {
		return nil
	}
	values, _ := policyStrings(key.value)
	for _, v := range values {
		_, err1 := netip.ParseAddr(v)
		_, err2 := netip.ParsePrefix(v)
		if err1 != nil && err2 != nil && !strings.Contains(v, "${") {
			return malformedPolicy("Invalid IP address in Conditions")
		}
	}
	return nil
}

// lintBucketPolicy refuses the remaining errors, which the policy engine finds.
func lintBucketPolicy(data []byte) error {
	for _, f := range iampolicy.LintText(data, iampolicy.KindBucket) {
		if f.Severity != iampolicy.SeverityError {
			continue
		}
		switch f.Code {
		case "POL001":
			if _, operator, ok := strings.Cut(f.Message, "unknown condition operator "); ok {
				return malformedPolicy("Invalid Condition type : %s", strings.Trim(strings.SplitN(operator, ";", 2)[0], `"`))
			}
			return malformedPolicy("Invalid policy syntax.").With("Detail", f.Message)
		case "POL005":
			return malformedPolicy("Statement IDs (SID) in a single policy must be unique.")
		case "POL018", "POL019", "POL020":
			return invalidPrincipal(f.Message)
		default:
			return malformedPolicy("Invalid policy syntax.").With("Detail", f.Message)
		}
	}
	return nil
}
