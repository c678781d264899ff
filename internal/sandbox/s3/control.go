package s3

import (
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// S3 Control shares the signing name of S3. Its requests name the account in a
// header, and begin with the version of its API.

const controlPath = "/v20180820/"

// isControl reports whether a request is for S3 Control. A bucket may have the name
// of its path.
func isControl(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, controlPath) && r.Header.Get("X-Amz-Account-Id") != ""
}

// controlOperations are operations by method and path. A * stands for one name.
var controlOperations = map[string]string{
	"GET accesspoint": "ListAccessPoints", "PUT accesspoint/*": "CreateAccessPoint", "GET accesspoint/*": "GetAccessPoint",
	"DELETE accesspoint/*": "DeleteAccessPoint", "PUT accesspoint/*/policy": "PutAccessPointPolicy",
	"GET accesspoint/*/policy": "GetAccessPointPolicy", "DELETE accesspoint/*/policy": "DeleteAccessPointPolicy",
	"GET accesspoint/*/policyStatus": "GetAccessPointPolicyStatus",
	"GET jobs":                       "ListJobs", "POST jobs": "CreateJob", "GET jobs/*": "DescribeJob",
	"POST jobs/*/priority": "UpdateJobPriority", "POST jobs/*/status": "UpdateJobStatus", "GET jobs/*/tagging": "GetJobTagging",
	"PUT jobs/*/tagging": "PutJobTagging", "DELETE jobs/*/tagging": "DeleteJobTagging", "GET tags/*": "ListTagsForResource",
	"POST tags/*": "TagResource", "DELETE tags/*": "UntagResource", "GET storagelens": "ListStorageLensConfigurations",
	"PUT storagelens/*": "PutStorageLensConfiguration", "GET storagelens/*": "GetStorageLensConfiguration",
	"DELETE storagelens/*": "DeleteStorageLensConfiguration", "GET mrap/instances": "ListMultiRegionAccessPoints",
	"GET mrap/instances/*": "GetMultiRegionAccessPoint", "POST async-requests/mrap/create": "CreateMultiRegionAccessPoint",
	"POST async-requests/mrap/delete": "DeleteMultiRegionAccessPoint", "POST accessgrantsinstance": "CreateAccessGrantsInstance",
	"GET accessgrantsinstance": "GetAccessGrantsInstance", "DELETE accessgrantsinstance": "DeleteAccessGrantsInstance",
	"GET accessgrantsinstance/dataaccess": "GetDataAccess", "POST accessgrantsinstance/grant": "CreateAccessGrant",
	"GET accessgrantsinstance/grants": "ListAccessGrants",
}

// controlOperation is the operation of a request to S3 Control; method and path
// where the table has none.
func controlOperation(method, path string) string {
	parts := strings.Split(strings.TrimPrefix(path, controlPath), "/")
	if parts[0] == "tags" {
		parts = parts[:min(2, len(parts))] // an ARN has slashes
	}
	if op, ok := controlOperations[method+" "+strings.Join(parts, "/")]; ok {
		return op
	}
	for i := 1; i < len(parts); i++ {
		named := append([]string{}, parts...)
		named[i] = "*"
		if op, ok := controlOperations[method+" "+strings.Join(named, "/")]; ok {
			return op
		}
	}
	return method + " " + path
}

// unmodelledControl refuses an operation of S3 Control.
func (c *call) unmodelledControl() error {
	op := controlOperation(c.HTTP.Method, c.HTTP.URL.Path)
	c.Record.Operation = op
	return kernel.NotImplemented("s3control:" + op)
}
