package recorded

import "time"

func signingRows() []Row {
	const url = "$BUCKET.s3.$REGION.amazonaws.com/k"
	read := func(opts ...Option) Step { return raw("s3:GetObject", "GET", url, opts...) }
	object := put("k", "x")
	hour := presigned(time.Hour)
	const parameters = "LocalStack, test_presign_with_additional_query_params"
	return []Row{
		row("presigned", read(hour), answers(200).body("x"), reference("Authenticating Requests: Using Query Parameters"), object),
		row("presigned, with a parameter that S3 does not know", read(hour, query("random", "value")), answers(200).body("x"),
			suite(parameters), object),
		row("signed, with a parameter that S3 does not know", read(query("random", "value")), answers(200).body("x"), suite(parameters), object),
		row("presigned, with a condition in the query that fails", read(hour, query("If-Match", `"none"`)),
			failedPrecondition("If-Match"), suite(parameters), object),
		row("presigned and expired", read(presigned(time.Minute), signedAt(-10*time.Minute)),
			refused(403, "AccessDenied", "Request has expired").field("X-Amz-Expires", "60").field("Expires", "…").
				field("ServerTime", "…"), suite("LocalStack, expired presigned URLs"), object),
		row("presigned for more than a week", read(presigned(8*24*time.Hour)),
			refused(400, "AuthorizationQueryParametersError",
				"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"),
			suite("LocalStack, presigned URLs"), object),
		row("presigned, with a header that is not signed", read(hour, added("x-amz-expires", "60")),
			refused(403, "AccessDenied", "There were headers present in the request which were not signed").
				field("HeadersNotSigned", "x-amz-expires"), suite("LocalStack, headers that are not signed"), object),
		row("with a header that is not signed", get("k", added("x-amz-meta-added", "1")),
			refused(403, "AccessDenied", "There were headers present in the request which were not signed").
				field("HeadersNotSigned", "x-amz-meta-added"), suite("LocalStack, headers that are not signed"), object),
		row("signed over Date alone", read(withDate()), answers(200).body("x"),
			suite("Ceph s3-tests, test_object_create_date_and_amz_date"), object),
		row("signed 20 minutes ago", read(signedAt(-20*time.Minute)),
			refused(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.").
				field("RequestTime", "…").field("ServerTime", "…").field("MaxAllowedSkewMilliseconds", "900000"),
			reference("Error Responses"), object),
		row("with a header that changed after signing", read(with("x-amz-meta-a", "1"), added("x-amz-meta-a", "2")),
			refused(403, "SignatureDoesNotMatch",
				"The request signature we calculated does not match the signature you provided. Check your key and signing method.").
				field("AWSAccessKeyId", "…").field("StringToSign", "…").field("StringToSignBytes", "…").field("CanonicalRequest", "…").
				field("CanonicalRequestBytes", "…").field("SignatureProvided", "…"), suite("LocalStack, SignatureDoesNotMatch"), object),
		row("without a signature", read(anonymous()), refused(403, "AccessDenied", "Access Denied"), reference("Error Responses"), object),
		row("with an authorization of no known kind", read(added("Authorization", "Basic YTpi")),
			refused(400, "InvalidArgument", "Unsupported Authorization Type").field("ArgumentName", "Authorization").
				field("ArgumentValue", "Basic…"), report("answers of S3 to Basic authorization"), object),
		row("signed for another Region", read(signedFor("$OTHER")),
			refused(400, "AuthorizationHeaderMalformed",
				"The authorization header is malformed; the region '$OTHER' is wrong; expecting '$REGION'").field("Region", "$REGION"),
			report("answers of a Regional endpoint to a signature of another Region"), object),
	}
}
