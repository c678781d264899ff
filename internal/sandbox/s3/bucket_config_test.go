package s3

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// TestBucketConfigSurvivesJSON checks that a stored configuration reads back the same,
// with the difference between empty and absent.
func TestBucketConfigSurvivesJSON(t *testing.T) {
	empty, days, size, yes, date := "", 3, int64(5), true, "2030-01-01T00:00:00Z"
	whole := bucketConfig{
		Location: "EU", Tags: []kernel.Tag{{Key: "k", Value: "v"}}, RequesterPays: true,
		ACL:     &accessList{Grants: []grant{{Account: "111122223333", Permission: permRead}, {Group: groupAllUsers, Permission: permWrite}}},
		Logging: &loggingTarget{Bucket: "b", Grants: []grant{{Group: groupLogDelivery, Permission: permRead}}, KeyFormat: simplePrefix},
		CORS:    []corsRule{{ID: "x", AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}, MaxAgeSeconds: &days}},
		Lifecycle: &lifecycleConfig{MinimumSize: minimumSizeDefault, Rules: []lifecycleRule{
			{ID: "a", Status: "Enabled", Filter: &lifecycleFilter{}, Abort: &abortIncomplete{Days: &days}},
			{ID: "b", Status: "Enabled", Prefix: &empty, Expiration: &lifecycleExpiration{Date: &date}},
			{
				ID: "c", Status: "Disabled", Expiration: &lifecycleExpiration{DeleteMarker: &yes},
				Filter: &lifecycleFilter{
					And: &lifecycleAnd{Prefix: &empty, Tags: []kernel.TagXML{{Key: "k", Value: "v"}}, SizeOver: &size, SizeLess: &size},
				},
				Transitions:          []lifecycleTransition{{Days: &days, StorageClass: "GLACIER"}},
				NoncurrentExpiration: &noncurrentExpiration{Days: &days, Newer: &days},
				NoncurrentMoves:      []noncurrentMove{{Days: &days, StorageClass: "GLACIER"}},
			},
		}},
	}
	for name, in := range map[string]bucketConfig{"everything": whole, "nothing": {},
		"a list that grants nothing": {ACL: &accessList{Grants: []grant{}}}} {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out bucketConfig
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(in, out) {
			t.Errorf("%s: %s reads back as %+v", name, text, out)
		}
	}
}
