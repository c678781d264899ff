package cloudtrail

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Trails and their event selectors. They are stored and returned. The sandbox's audit trail
// does not depend on them, and no log file is delivered to their buckets.

// savedTrail is a trail in the form of state.json.
type savedTrail struct {
	ARN, Name, Bucket string
	MultiRegion       bool
	Basic             []eventSelector    `json:",omitempty"`
	Advanced          []advancedSelector `json:",omitempty"`
}

type eventSelector struct {
	ReadWriteType                 string
	IncludeManagementEvents       *bool          `json:",omitempty"`
	DataResources                 []dataResource `json:",omitempty"`
	ExcludeManagementEventSources []string       `json:",omitempty"`
}

type dataResource struct {
	Type   string
	Values []string
}

type advancedSelector struct {
	Name           string `json:",omitempty"`
	FieldSelectors []fieldSelector
}

type fieldSelector struct {
	Field         string
	Equals        []string `json:",omitempty"`
	StartsWith    []string `json:",omitempty"`
	EndsWith      []string `json:",omitempty"`
	NotEquals     []string `json:",omitempty"`
	NotStartsWith []string `json:",omitempty"`
	NotEndsWith   []string `json:",omitempty"`
}

// trailInput holds the parameters of the operations on trails.
type trailInput struct {
	Name, TrailName, S3BucketName string
	IsMultiRegionTrail            bool
	EventSelectors                []eventSelector
	AdvancedEventSelectors        []advancedSelector
}

type trailOperation func(acct accountTrails, in *trailInput) (any, error)

var trailOperations = map[string]trailOperation{
	"CreateTrail": createTrail, "DeleteTrail": deleteTrail, "GetEventSelectors": getEventSelectors, "PutEventSelectors": putEventSelectors,
}

func (s *Service) handleTrail(cl *kernel.Request, data []byte, handle trailOperation) error {
	var in trailInput
	if err := json.Unmarshal(data, &in); err != nil {
		return kernel.JSONFail("SerializationException", "The request body is not the JSON that %s takes.", cl.Record.Operation)
	}
	region := cl.Region()
	name := in.Name
	if name == "" {
		name = in.TrailName
	}
	resource := name
	if !strings.HasPrefix(name, "arn:") {
		resource = trailARN(region, cl.Caller.Account, name)
	}
	if e := s.k.Authorize(cl, kernel.Access{
		Caller: cl.Caller, Action: "cloudtrail:" + cl.Record.Operation, Resource: resource, Owner: cl.Caller.Account,
		Context: cl.Conditions(region),
	}); e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return e
	}
	in.TrailName, in.Name = resource, name
	out, err := s.apply(cl.Caller.Account, &in, handle)
	if err != nil {
		return err
	}
	return cl.WriteJSON(out)
}

// apply runs an operation on the trails of an account. It renders the answer while mu
// is held, for the answer may hold a trail.
func (s *Service) apply(account string, in *trailInput, handle trailOperation) (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := handle(accountTrails{account, s.trails[account]}, in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// accountTrails are the trails of one account, by ARN.
type accountTrails struct {
	id     string
	trails map[string]*savedTrail
}

func trailARN(region, account, name string) string {
	return "arn:aws:cloudtrail:" + region + ":" + account + ":trail/" + name
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)

func createTrail(acct accountTrails, in *trailInput) (any, error) {
	switch {
	case !namePattern.MatchString(in.Name):
		return nil, kernel.JSONFail("InvalidTrailNameException", "Trail name %q is not valid.", in.Name)
	case in.S3BucketName == "":
		return nil, kernel.JSONFail("InvalidS3BucketNameException", "The S3 bucket name is missing.")
	case acct.trails[in.TrailName] != nil:
		return nil, kernel.JSONFail("TrailAlreadyExistsException", "Trail %s already exists for customer: %s", in.Name, acct.id)
	}
	yes := true
	t := &savedTrail{
		ARN:         in.TrailName,
		Name:        in.Name,
		Bucket:      in.S3BucketName,
		MultiRegion: in.IsMultiRegionTrail,
		Basic:       []eventSelector{{ReadWriteType: "All", IncludeManagementEvents: &yes}},
	}
	acct.trails[t.ARN] = t
	return map[string]any{
		"Name":                       t.Name,
		"S3BucketName":               t.Bucket,
		"TrailARN":                   t.ARN,
		"IsMultiRegionTrail":         t.MultiRegion,
		"IncludeGlobalServiceEvents": true,
		"LogFileValidationEnabled":   false,
		"IsOrganizationTrail":        false,
	}, nil
}

func (a accountTrails) trailOf(in *trailInput) (*savedTrail, error) {
	t := a.trails[in.TrailName]
	if t == nil {
		return nil, kernel.JSONFail("TrailNotFoundException", "Unknown trail: %s for the user: %s", in.TrailName, a.id)
	}
	return t, nil
}

func deleteTrail(acct accountTrails, in *trailInput) (any, error) {
	t, err := acct.trailOf(in)
	if err != nil {
		return nil, err
	}
	delete(acct.trails, t.ARN)
	return struct{}{}, nil
}

func (t *savedTrail) selectors() map[string]any {
	out := map[string]any{"TrailARN": t.ARN}
	if len(t.Advanced) > 0 {
		out["AdvancedEventSelectors"] = t.Advanced
	} else {
		out["EventSelectors"] = t.Basic
	}
	return out
}

func getEventSelectors(acct accountTrails, in *trailInput) (any, error) {
	t, err := acct.trailOf(in)
	if err != nil {
		return nil, err
	}
	return t.selectors(), nil
}

const maxBasicSelectors = 5

func putEventSelectors(acct accountTrails, in *trailInput) (any, error) {
	t, err := acct.trailOf(in)
	if err != nil {
		return nil, err
	}
	if (len(in.EventSelectors) == 0) == (len(in.AdvancedEventSelectors) == 0) {
		return nil, kernel.JSONFail("InvalidEventSelectorsException", "Specify either event selectors or advanced event selectors.")
	}
	if len(in.EventSelectors) > maxBasicSelectors {
		return nil, kernel.JSONFail("InvalidEventSelectorsException", "A trail has at most %d event selectors.", maxBasicSelectors)
	}
	for _, e := range in.EventSelectors {
		if !slices.Contains([]string{"All", "ReadOnly", "WriteOnly"}, e.ReadWriteType) {
			return nil, kernel.JSONFail("InvalidEventSelectorsException", "ReadWriteType %q is not valid.", e.ReadWriteType)
		}
		for _, r := range e.DataResources {
			for _, v := range r.Values {
				if r.Type == "AWS::S3::Object" && v != "arn:aws:s3" && !strings.HasPrefix(v, "arn:aws:s3:::") {
					return nil, kernel.JSONFail("InvalidEventSelectorsException", "Value %q is not the ARN of an S3 object or prefix.", v)
				}
			}
		}
	}
	for _, e := range in.AdvancedEventSelectors {
		if !slices.ContainsFunc(e.FieldSelectors, func(f fieldSelector) bool { return f.Field == "eventCategory" && len(f.Equals) == 1 }) {
			return nil, kernel.JSONFail("InvalidEventSelectorsException", "An advanced event selector needs eventCategory with one value.")
		}
	}
	t.Basic, t.Advanced = in.EventSelectors, in.AdvancedEventSelectors
	return t.selectors(), nil
}
