package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func corsRows() []Row {
	const noConfig, methods, origins = "LocalStack, test_cors_http_options_no_config", "LocalStack, test_cors_match_methods",
		"LocalStack, test_cors_match_origins"
	const host, origin = "$BUCKET.s3.$REGION.amazonaws.com", "https://localhost:4200"
	options := func(opts ...Option) Step {
		return raw("s3:OPTIONS", "OPTIONS", host+"/k", append(opts, anonymous())...)
	}
	from := with("Origin", origin)
	asks := func(method string) Option { return with("Access-Control-Request-Method", method) }
	allow := func(methods ...string) Step {
		age := int32(3000)
		return s3Do((*s3.Client).PutBucketCors,
			s3.PutBucketCorsInput{CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{
				{AllowedOrigins: []string{origin}, AllowedMethods: methods, MaxAgeSeconds: &age},
			}}})
	}
	forbidden := func(text, method, resource string) Want {
		return refused(403, "AccessForbidden", text).field("Method", method).field("ResourceType", resource)
	}
	const disabled, gone = "CORSResponse: CORS is not enabled for this bucket.", "CORSResponse: Bucket not found"
	const refusedText = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request " +
		"method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
	allowed := answers(200).header("Access-Control-Allow-Origin", origin).header("Access-Control-Allow-Methods", "GET").
		header("Access-Control-Allow-Credentials", "true").header("Access-Control-Max-Age", "3000").
		header("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	return []Row{
		row("without an origin", options(), refused(400, "BadRequest", "Insufficient information. Origin request header needed."),
			suite(noConfig), put("k", "x")),
		row("without a configuration", options(from, asks("PUT")), forbidden(disabled, "PUT", "BUCKET"), suite(noConfig), put("k", "x")),
		row("without a method, without a configuration", options(from), forbidden(disabled, "OPTIONS", "BUCKET"), suite(noConfig), put("k", "x")),
		row("of a bucket that is not there", raw("s3:OPTIONS", "OPTIONS", "$NAME-none.s3.$REGION.amazonaws.com/k", from, anonymous()),
			forbidden(gone, "OPTIONS", "BUCKET"), suite("LocalStack, test_cors_http_options_non_existent_bucket")),
		row("of a method that is allowed", options(from, asks("GET")), allowed, suite(methods), put("k", "x"), allow("GET")),
		row("of a method that is not allowed", options(from, asks("PUT")), forbidden(refusedText, "PUT", "OBJECT"), suite(methods),
			put("k", "x"), allow("GET")),
		row("of another origin", options(with("Origin", "https://elsewhere.example"), asks("GET")),
			forbidden(refusedText, "GET", "OBJECT"), suite(origins), put("k", "x"), allow("GET")),
		row("from an origin that is allowed", get("k", from), allowed, suite(methods), put("k", "x"), allow("GET")),
		row("is judged by its own method", get("k", from, asks("PUT")), allowed, suite(methods+", the request's own method counts"),
			put("k", "x"), allow("GET")),
		row("from an origin that is not allowed", get("k", with("Origin", "https://elsewhere.example")),
			answers(200).withoutHeader("Access-Control-Allow-Origin"), suite(origins), put("k", "x"), allow("GET")),
		row("of a bucket without one", s3Do((*s3.Client).GetBucketCors, s3.GetBucketCorsInput{}),
			refused(404, "NoSuchCORSConfiguration", "The CORS configuration does not exist").field("BucketName", "$BUCKET"),
			suite("LocalStack, test_get_cors")),
		row("with a method that is none", allow("FETCH"),
			refused(400, "InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is FETCH"),
			suite("LocalStack, test_put_cors_invalid_rules")),
	}
}
