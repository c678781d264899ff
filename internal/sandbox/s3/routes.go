package s3

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// route is one operation. handle is called authenticated. Handlers of operations on a
// bucket decide the action in withBucket; the others decide it themselves.
type route struct {
	name   string
	action string // empty: the operation's name; noAction: the handler decides
	handle func(*call) error
}

// noAction marks operations that are decided object by object.
const noAction = "-"

// versionActions are the actions of operations that name a version.
var versionActions = map[string]string{
	"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion", "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
	"s3:PutObjectAcl": "s3:PutObjectVersionAcl", "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
	"s3:PutObjectTagging": "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
	"s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
}

func (c *call) route() (route, error) {
	level := "service"
	switch {
	case c.key != "":
		level = "object"
	case c.bucketName != "":
		level = "bucket"
	}
	sel := c.selector()
	if sel == "list-type" && c.query.Get("list-type") != "2" {
		sel = "list-type=" + c.query.Get("list-type")
	}
	name := c.HTTP.Method + " " + sel
	route, ok := routes[level][name]
	if !ok && level == "bucket" {
		route, ok = configurationRoutes[name]
	}
	if !ok && level == "object" {
		route, ok = objectACLRoutes[name]
	}
	if !ok {
		if e := misplaced(c.HTTP.Method, level, sel); e != nil {
			return route, e
		}
		c.Record.Operation = c.HTTP.Method + " " + level + " " + sel
		return route, kernel.NotImplemented("s3 " + c.Record.Operation)
	}
	if copied, ok := copyRoutes[route.name]; ok && c.HTTP.Header.Get("X-Amz-Copy-Source") != "" {
		return copied, nil
	}
	return route, nil
}

// misplaced returns S3's error for requests that are no operation of S3.
func misplaced(method, level, selector string) *kernel.Error {
	switch {
	case level == "service" && method != http.MethodGet,
		level == "object" && method == http.MethodPost && selector == "",
		level == "object" && method == http.MethodPut && selector == "uploadId":
		return methodNotAllowed().With("Method", method).With("ResourceType", strings.ToUpper(level))
	case level == "object" && method == http.MethodGet && selector == "uploads":
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Key is not expected for the GET method ?uploads subresource")
	case level == "object" && method == http.MethodGet && selector == "versions":
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "There is no such thing as the ?versions sub-resource for a key")
	case level == "object" && method == http.MethodPut && selector == "partNumber":
		return kernel.InvalidArgument("This operation does not accept a part number without an upload id").
			With("ArgumentName", "partNumber")
	}
	return nil
}

// copyRoutes replace the operations of their names when the request names a source.
var copyRoutes = map[string]route{
	"PutObject":  {"CopyObject", "s3:PutObject", copyObject},
	"UploadPart": {"UploadPartCopy", "s3:PutObject", uploadPartCopy},
}

// routes are the operations by level, method and selector.
var routes = map[string]map[string]route{
	"service": {"GET ": {"ListBuckets", "s3:ListAllMyBuckets", listBuckets}},
	"bucket": {
		"PUT ":                     {"CreateBucket", "", createBucket},
		"HEAD ":                    {"HeadBucket", "s3:ListBucket", locked(headBucket)},
		"DELETE ":                  {"DeleteBucket", "", locked(deleteBucket)},
		"GET location":             {"GetBucketLocation", "", locked(getBucketLocation)},
		"GET ":                     {"ListObjects", "s3:ListBucket", locked(listObjects)},
		"GET versions":             {"ListObjectVersions", "s3:ListBucketVersions", locked(listObjectVersions)},
		"POST delete":              {"DeleteObjects", noAction, deleteObjects},
		"POST ":                    {"PostObject", noAction, postObject},
		"GET object-lock":          {"GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", locked(getLockConfiguration)},
		"PUT object-lock":          {"PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", putLockConfiguration},
		"GET list-type":            {"ListObjectsV2", "s3:ListBucket", locked(listObjectsV2)},
		"GET uploads":              {"ListMultipartUploads", "s3:ListBucketMultipartUploads", locked(listMultipartUploads)},
		"GET policy":               {"GetBucketPolicy", "", locked(getBucketPolicy)},
		"PUT policy":               {"PutBucketPolicy", "", putBucketPolicy},
		"DELETE policy":            {"DeleteBucketPolicy", "", locked(deleteBucketPolicy)},
		"GET encryption":           {"GetBucketEncryption", "s3:GetEncryptionConfiguration", locked(getBucketEncryption)},
		"PUT encryption":           {"PutBucketEncryption", "s3:PutEncryptionConfiguration", putBucketEncryption},
		"DELETE encryption":        {"DeleteBucketEncryption", "s3:PutEncryptionConfiguration", locked(deleteBucketEncryption)},
		"GET ownershipControls":    {"GetBucketOwnershipControls", "", locked(getOwnershipControls)},
		"PUT ownershipControls":    {"PutBucketOwnershipControls", "", putOwnershipControls},
		"DELETE ownershipControls": {"DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", locked(deleteOwnershipControls)},
		"GET publicAccessBlock":    {"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", locked(getPublicAccessBlock)},
		"PUT publicAccessBlock":    {"PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", putPublicAccessBlock},
		"DELETE publicAccessBlock": {"DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", locked(deletePublicAccessBlock)},
		"GET versioning":           {"GetBucketVersioning", "", locked(getVersioning)},
		"PUT versioning":           {"PutBucketVersioning", "", putVersioning},
	},
	"object": {
		"PUT ":                    {"PutObject", "", putObject},
		"GET ":                    {"GetObject", "", getObject},
		"HEAD ":                   {"HeadObject", "s3:GetObject", headObject},
		"DELETE ":                 {"DeleteObject", "", locked(deleteObject)},
		"GET partNumber":          {"GetObject", "", getObject},
		"HEAD partNumber":         {"HeadObject", "s3:GetObject", headObject},
		"GET attributes":          {"GetObjectAttributes", "", locked(getObjectAttributes)},
		"GET tagging":             {"GetObjectTagging", "", locked(getObjectTagging)},
		"PUT tagging":             {"PutObjectTagging", "", putObjectTagging},
		"DELETE tagging":          {"DeleteObjectTagging", "", locked(deleteObjectTagging)},
		"GET retention":           {"GetObjectRetention", "", locked(getObjectRetention)},
		"PUT retention":           {"PutObjectRetention", "", putObjectRetention},
		"GET legal-hold":          {"GetObjectLegalHold", "", locked(getObjectLegalHold)},
		"PUT legal-hold":          {"PutObjectLegalHold", "", putObjectLegalHold},
		"POST uploads":            {"CreateMultipartUpload", "s3:PutObject", locked(createMultipartUpload)},
		"PUT partNumber&uploadId": {"UploadPart", "s3:PutObject", uploadPart},
		"POST uploadId":           {"CompleteMultipartUpload", "s3:PutObject", completeMultipartUpload},
		"DELETE uploadId":         {"AbortMultipartUpload", "", locked(abortMultipartUpload)},
		"GET uploadId":            {"ListParts", "s3:ListMultipartUploadParts", locked(listParts)},
	},
}

// Route is one way to ask for an operation.
type Route struct {
	Level     string // service, bucket or object
	Method    string
	Selector  string // the names of the subresources in the query, joined with &
	Operation string
}

// Routes returns all routes of modelled operations on buckets and objects.
func Routes() []Route {
	var out []Route
	add := func(level string, table map[string]route) {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			method, selector, _ := strings.Cut(name, " ")
			out = append(out, Route{level, method, selector, table[name].name})
		}
	}
	for _, level := range slices.Sorted(maps.Keys(routes)) {
		add(level, routes[level])
	}
	add("bucket", configurationRoutes)
	add("object", objectACLRoutes)
	return out
}

// Operations returns the names of the modelled operations in order, those of S3 Control included.
func Operations() []string {
	names := map[string]bool{}
	for _, r := range Routes() {
		names[r.Operation] = true
	}
	for _, table := range []map[string]route{copyRoutes, accountRoutes} {
		for _, r := range table {
			names[r.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
