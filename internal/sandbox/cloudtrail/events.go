package cloudtrail

import (
	"crypto/tls"
	"maps"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// maxEvents bounds the memory of the audit trail. The file in a data directory keeps
// all events.
const maxEvents = 20000

// Note records the events of a call, and of the calls that S3 made to KMS for it.
func (s *Service) Note(cl *kernel.Request) {
	events := s.eventsOf(cl)
	for i := range cl.Forward {
		events = append(events, s.forwardEvents(cl, &cl.Forward[i])...)
	}
	s.Log.Append(events...)
	s.keepEvents(events)
}

// eventName is CloudTrail's name of an operation, which is the same for its versions.
func eventName(operation string) string {
	if operation == "ListObjectsV2" {
		return "ListObjects"
	}
	return operation
}

// eventsOf makes the event of a call, and the copy that the other account gets
// when the call crossed accounts.
func (s *Service) eventsOf(cl *kernel.Request) []trail.Event {
	c := &cl.Record
	if c.Operation == "" || cl.Caller.Account == "" && c.Owner == "" {
		return nil // no account is involved, so no account's trail gets it
	}
	category := "Management"
	if kernel.IsData(c.Service, c.Operation) {
		category = "Data"
	}
	e := trail.Event{
		EventVersion: "1.11", UserIdentity: identityIn(cl.Caller), EventTime: c.Time.UTC().Truncate(time.Second),
		EventSource: c.Service + ".amazonaws.com", EventName: eventName(c.Operation), AWSRegion: cl.Region(),
		SourceIPAddress: kernel.RemoteIP(cl.HTTP), UserAgent: "[" + cl.HTTP.UserAgent() + "]",
		ErrorCode: c.ErrorCode, ErrorMessage: c.Message, RequestParameters: requestParameters(cl), ResponseElements: responseElements(cl),
		RequestID: c.RequestID, EventID: kernel.NewUUID(), ReadOnly: kernel.IsReadOnly(c.Operation), Resources: resourcesOf(c),
		EventType: "AwsApiCall", ManagementEvent: category == "Management", RecipientAccountID: cl.Caller.Account, EventCategory: category,
		AdditionalEventData: additionalData(cl),
	}
	if c.Service == "iam" {
		e.AWSRegion = "us-east-1"
	}
	if cl.Endpoint != nil {
		e.VPCEndpointID = cl.Endpoint.ID
	}
	if t := cl.HTTP.TLS; t != nil {
		e.TLSDetails = &trail.TLSDetails{
			TLSVersion:               "TLSv" + kernel.TLSVersion(t.Version),
			CipherSuite:              tls.CipherSuiteName(t.CipherSuite),
			ClientProvidedHostHeader: cl.HTTP.Host,
		}
	}
	if c.ErrorCode != "" {
		e.ResponseElements = nil
	}
	return s.copies(e, c.Owner)
}

// forwardEvents are the events of a call that S3 made on the caller's behalf.
func (s *Service) forwardEvents(cl *kernel.Request, c *kernel.Call) []trail.Event {
	identity := identityIn(cl.Caller)
	identity.InvokedBy = "AWS Internal"
	params := map[string]any{"keyId": c.Resource}
	if len(c.EncryptionContext) > 0 {
		params["encryptionContext"] = c.EncryptionContext
	}
	if c.Operation == "GenerateDataKey" {
		params["keySpec"] = "AES_256"
	}
	return s.copies(trail.Event{
		EventVersion: "1.11", UserIdentity: identity, EventTime: c.Time.UTC().Truncate(time.Second), EventSource: "kms.amazonaws.com",
		EventName: c.Operation, AWSRegion: c.Region, SourceIPAddress: "AWS Internal", UserAgent: "AWS Internal", ErrorCode: c.ErrorCode,
		ErrorMessage: c.Message, RequestParameters: params, RequestID: c.RequestID, EventID: kernel.NewUUID(), ReadOnly: true,
		Resources: resourcesOf(c), EventType: "AwsApiCall", ManagementEvent: true, RecipientAccountID: cl.Caller.Account,
		EventCategory:       "Management",
		AdditionalEventData: decisionData(c),
	}, c.Owner)
}

// copies returns the event for the caller's account and, when the resource belongs to
// another account, a copy for that one, which has the caller's id and account only.
func (s *Service) copies(e trail.Event, owner string) []trail.Event {
	if owner == "" || owner == e.RecipientAccountID || !s.k.HasAccount(owner) {
		return []trail.Event{e}
	}
	other := e
	other.RecipientAccountID, other.EventID = owner, kernel.NewUUID()
	if e.RecipientAccountID == "" {
		return []trail.Event{other} // an anonymous caller
	}
	e.SharedEventID = kernel.NewUUID()
	other.SharedEventID = e.SharedEventID
	other.UserIdentity = trail.Identity{
		Type:        "AWSAccount",
		PrincipalID: e.UserIdentity.PrincipalID,
		AccountID:   e.UserIdentity.AccountID,
		InvokedBy:   e.UserIdentity.InvokedBy,
	}
	return []trail.Event{e, other}
}

func resourcesOf(c *kernel.Call) []trail.Resource {
	arn, ok := awsarn.Split(c.Resource)
	if !ok {
		return nil
	}
	switch arn.Service {
	case "s3":
		bucket, key, isObject := strings.Cut(arn.Resource, "/")
		b := trail.Resource{AccountID: c.Owner, Type: "AWS::S3::Bucket", ARN: "arn:aws:s3:::" + bucket}
		if !isObject || key == "" {
			return []trail.Resource{b}
		}
		return []trail.Resource{{Type: "AWS::S3::Object", ARN: c.Resource}, b}
	case "kms":
		return []trail.Resource{{AccountID: arn.Account, Type: "AWS::KMS::Key", ARN: c.Resource}}
	case "iam":
		kind := arn.Type()
		if names := map[string]string{"role": "Role", "user": "User", "policy": "Policy"}; names[kind] != "" {
			return []trail.Resource{{AccountID: arn.Account, Type: "AWS::IAM::" + names[kind], ARN: c.Resource}}
		}
	}
	return nil
}

// identityIn is a caller in CloudTrail's terms.
func identityIn(c *kernel.Caller) trail.Identity {
	id := trail.Identity{PrincipalID: c.ID, ARN: c.ARN, AccountID: c.Account, AccessKeyID: c.Key}
	switch c.Kind {
	case kernel.Anonymous:
		return trail.Identity{Type: "AWSAccount", AccountID: "anonymous"}
	case kernel.RootUser:
		id.Type = "Root"
	case kernel.IAMUser:
		id.Type, id.UserName = "IAMUser", c.Name
	case kernel.Federated:
		return trail.Identity{Type: "WebIdentityUser", PrincipalID: c.ID, UserName: c.Subject, IdentityProvider: c.ARN}
	case kernel.RoleSession:
		id.Type = "AssumedRole"
		id.SessionContext = &trail.SessionContext{
			SessionIssuer:  &trail.Issuer{Type: "Role", PrincipalID: c.EntityID, ARN: c.RoleARN, AccountID: c.Account, UserName: c.Name},
			Attributes:     map[string]string{"creationDate": kernel.QueryTime(c.Issued), "mfaAuthenticated": "false"},
			SourceIdentity: c.Source,
		}
	}
	return id
}

func decisionData(c *kernel.Call) map[string]any {
	if c.Decision == "" {
		return nil
	}
	return map[string]any{"sandboxDecision": c.Decision}
}

// additionalData returns the fields that CloudTrail adds for S3, and the sandbox's decision.
func additionalData(cl *kernel.Request) map[string]any {
	data := decisionData(&cl.Record)
	if cl.Record.Service != "s3" {
		return data
	}
	if data == nil {
		data = map[string]any{}
	}
	data["bytesTransferredIn"], data["x-amz-id-2"] = cl.Payload.N, cl.HostID
	if cl.Signature != nil {
		data["SignatureVersion"], data["AuthenticationMethod"] = "SigV4", "AuthHeader"
		if cl.Signature.Presigned {
			data["AuthenticationMethod"] = "QueryString"
		}
	}
	switch h := cl.Out.Header(); h.Get("x-amz-server-side-encryption") {
	case "aws:kms":
		data["SSEApplied"] = "SSE_KMS"
	case "AES256":
		data["SSEApplied"] = "SSE_S3"
	}
	return data
}

// secretParameters never reach the trail.
var secretParameters = []string{
	"webIdentityToken",
	"plaintext",
	"ciphertextBlob",
	"message",
	"mac",
	"secretAccessKey",
	"sessionToken",
	"tokenCode",
	"encryptedKeyMaterial",
	"importToken",
}

func requestParameters(cl *kernel.Request) map[string]any {
	out := map[string]any{}
	switch {
	case cl.Record.Service == "s3":
		bucket, key := kernel.BucketAndKey(cl.HTTP)
		out["Host"] = cl.HTTP.Host
		if bucket != "" {
			out["bucketName"] = bucket
		}
		if key != "" {
			out["key"] = key
		}
		for name, values := range cl.HTTP.URL.Query() {
			if !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
				out[name] = values[0]
			}
		}
		for name, values := range cl.HTTP.Header {
			lower := strings.ToLower(name)
			if strings.HasPrefix(lower, "x-amz-") && lower != "x-amz-security-token" && lower != "x-amz-date" &&
				lower != "x-amz-content-sha256" &&
				!strings.Contains(lower, "customer-key") {
				out[lower] = strings.Join(values, ",")
			}
		}
	case cl.Form != nil:
		for name, values := range cl.Form {
			if name != "Action" && name != "Version" {
				out[lowerFirst(name)] = values[0]
			}
		}
	default:
		for name, v := range cl.JSON {
			out[lowerFirst(name)] = v
		}
	}
	for _, name := range secretParameters {
		delete(out, name)
	}
	maps.DeleteFunc(out, func(name string, _ any) bool {
		return strings.HasPrefix(name, "X-Amz-") || name == "Signature" || name == "signature"
	})
	if len(out) == 0 {
		return nil
	}
	return out
}

func responseElements(cl *kernel.Request) map[string]any {
	if cl.Response != nil {
		return cl.Response
	}
	if cl.Record.Service != "s3" || kernel.IsReadOnly(cl.Record.Operation) {
		return nil
	}
	out := map[string]any{}
	for name, values := range cl.Out.Header() {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-server-side-encryption") || lower == "x-amz-version-id" || lower == "x-amz-delete-marker" {
			out[lower] = values[0]
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
