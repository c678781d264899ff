package awserr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	sessionARN = "arn:aws:sts::111122223333:assumed-role/Up/s"
	objectARN  = "arn:aws:s3:::b/logs/x"
	keyARN     = "arn:aws:kms:eu-west-1:444455556666:key/1"
	scpARN     = "arn:aws:organizations::1:policy/o-1/service_control_policy/p-1"
)

func TestParseDenial(t *testing.T) {
	s3 := "User: " + sessionARN + ` is not authorized to perform: s3:PutObject on resource: "` + objectARN + `" `
	kms := "User: " + sessionARN + " is not authorized to perform: kms:GenerateDataKey on resource: " + keyARN + " "
	onS3 := func(l Layer, s Side, explicit bool) Denial {
		return Denial{Principal: sessionARN, Action: "s3:PutObject", Resource: objectARN, Layer: l, Side: s, Explicit: explicit}
	}
	onKMS := func(l Layer, s Side, explicit bool) Denial {
		return Denial{Principal: sessionARN, Action: "kms:GenerateDataKey", Resource: keyARN, Layer: l, Side: s, Explicit: explicit}
	}
	with := func(d Denial, change func(*Denial)) Denial { change(&d); return d }

	for name, c := range map[string]struct {
		text string
		want Denial
	}{
		"no identity policy, KMS without quotes": {kms + "because no identity-based policy allows the kms:GenerateDataKey action",
			onKMS(LayerIdentity, SideA, false)},
		"no identity policy, S3 with quotes": {s3 + "because no identity-based policy allows the s3:PutObject action",
			onS3(LayerIdentity, SideA, false)},
		"no resource policy": {s3 + "because no resource-based policy allows the s3:PutObject action.",
			onS3(LayerResource, SideB, false)},
		"no permissions boundary": {kms + "because no permissions boundary allows the kms:GenerateDataKey action",
			onKMS(LayerBoundary, SideA, false)},
		"no session policy": {kms + "because no session policy allows the kms:GenerateDataKey action",
			onKMS(LayerSession, SideA, false)},
		"no service control policy": {s3 + "because no service control policy allows the s3:PutObject action",
			onS3(LayerSCP, SideA, false)},
		"no endpoint policy": {s3 + "because no VPC endpoint policy allows the s3:PutObject action",
			onS3(LayerVPCEndpoint, SideA, false)},
		"explicit identity deny":              {s3 + "with an explicit deny in an identity-based policy", onS3(LayerIdentity, SideA, true)},
		"explicit resource deny":              {s3 + "with an explicit deny in a resource-based policy", onS3(LayerResource, SideB, true)},
		"explicit service control deny":       {s3 + "with an explicit deny in a service control policy", onS3(LayerSCP, SideA, true)},
		"explicit resource control deny":      {s3 + "with an explicit deny in a resource control policy", onS3(LayerRCP, SideB, true)},
		"explicit endpoint deny":              {s3 + "with an explicit deny in a VPC endpoint policy", onS3(LayerVPCEndpoint, SideA, true)},
		"explicit session deny":               {s3 + "with an explicit deny in a session policy", onS3(LayerSession, SideA, true)},
		"explicit session deny, misprinted":   {s3 + "with an explicit deny in a sessions policy", onS3(LayerSession, SideA, true)},
		"explicit boundary deny":              {s3 + "with an explicit deny in a permissions boundary", onS3(LayerBoundary, SideA, true)},
		"explicit deny without a policy type": {s3 + "with an explicit deny", onS3(LayerUnknown, SideUnknown, true)},
		"endpoint deny through an SCP": {s3 +
			"with an explicit deny in a VPC endpoint policy transitively through a service control policy", onS3(LayerSCP, SideA, true)},
		"policy named by suffix": {s3 + "with an explicit deny in a service control policy: " + scpARN,
			with(onS3(LayerSCP, SideA, true), func(d *Denial) { d.PolicyARN = scpARN })},
		"policy named by S3": {s3 + "with an explicit deny in an identity-based policy, with policy ARN: " + scpARN + ".",
			with(onS3(LayerIdentity, SideA, true), func(d *Denial) { d.PolicyARN = scpARN })},
		"the opaque text of KMS": {kms + opaqueKMS, onKMS(LayerKeyPolicy, SideB, false)},
		"the opaque text, ciphertext": {"User: " + sessionARN +
			" is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext " +
			opaqueKMS, Denial{Principal: sessionARN, Action: "kms:Decrypt", Layer: LayerKeyPolicy, Side: SideB}},
		"this resource": {"User: " + sessionARN + " is not authorized to perform: kms:Decrypt on this resource because no " +
			"identity-based policy allows the kms:Decrypt action",
			Denial{Principal: sessionARN, Action: "kms:Decrypt", Layer: LayerIdentity, Side: SideA}},
		"public ACLs are blocked": {s3 + "because public access control lists (ACLs) are blocked by the BlockPublicAcls block public " +
			"access setting", onS3(LayerPublicAccess, SideB, true)},
		"public policies are blocked": {s3 + "because public policies are blocked by the BlockPublicPolicy block public access setting",
			onS3(LayerPublicAccess, SideB, true)},
		"public policies are prevented": {s3 + "because public policies are prevented by the BlockPublicPolicy setting in S3 Block " +
			"Public Access.", onS3(LayerPublicAccess, SideB, true)},
		"public ACLs are prevented": {s3 + "because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access.",
			onS3(LayerPublicAccess, SideB, true)},
		"no principal": {"User is not authorized to perform: lambda:GetLayerVersion because no resource-based policy allows the " +
			"lambda:GetLayerVersion action",
			Denial{Action: "lambda:GetLayerVersion", Layer: LayerResource, Side: SideB}},
		"a key with a blank": {"User: " + sessionARN +
			` is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/my file.txt" because no session policy allows the ` +
			`s3:PutObject action`,
			Denial{Principal: sessionARN, Action: "s3:PutObject", Resource: "arn:aws:s3:::b/my file.txt", Layer: LayerSession, Side: SideA}},
		"a remark after the refusal is no reason": {"User: " + sessionARN +
			" is not authorized to perform: sts:AssumeRole on resource: r. I see no policy with an explicit deny in a resource-based policy",
			Denial{Principal: sessionARN, Action: "sts:AssumeRole", Resource: "r"}},
		"a remark after the reason is no reason": {s3 + "because no identity-based policy allows the s3:PutObject action. " +
			"Colleague says: with an explicit deny in a service control policy: " + scpARN, onS3(LayerIdentity, SideA, false)},
		"a remark after an explicit deny names no layer": {s3 + "with an explicit deny in a service control policy The identity-based " +
			"policy allows it", onS3(LayerSCP, SideA, true)},
		"a remark with the opaque text": {s3 + "because no session policy allows the s3:PutObject action; not " + opaqueKMS,
			onS3(LayerSession, SideA, false)},
		"a backslash ends no ARN": {"User: " + sessionARN + ` is not authorized to perform: kms:Decrypt on resource: \"` + keyARN +
			`\" with an explicit deny`, Denial{Principal: sessionARN, Action: "kms:Decrypt"}},
		"assume role, no reason": {"User: " + sessionARN +
			" is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/Up", Denial{Principal: sessionARN,
			Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/Up"}},
		"assume role, trust policy": {"User: " + sessionARN +
			" is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/Up because no role trust policy allows the " +
			"sts:AssumeRole action", Denial{Principal: sessionARN, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/Up",
			Layer: LayerTrust, Side: SideA}},
		"assume role, explicit trust": {"User: x is not authorized to perform: sts:AssumeRole on resource: r with an explicit deny in the role " +
			"trust policy", Denial{Principal: "x", Action: "sts:AssumeRole", Resource: "r", Layer: LayerTrust, Side: SideA, Explicit: true}},
		"a principal with a blank": {"User: role HR is not authorized to perform: s3:PutObject on resource: arn:aws-cn:s3:::b/x.",
			Denial{Principal: "role HR", Action: "s3:PutObject", Resource: "arn:aws-cn:s3:::b/x"}},
		"inside another text": {"operation error S3: PutObject, api error AccessDenied: " + s3 +
			"because no identity-based policy\n allows the s3:PutObject action", onS3(LayerIdentity, SideA, false)},
		"the legacy text of KMS": {legacyKMS + ", does not exist in this region, or you are not allowed to access.",
			Denial{Action: "kms:Decrypt", Layer: LayerKeyPolicy, Side: SideB}},
		"web identity": {"Not authorized to perform sts:AssumeRoleWithWebIdentity",
			Denial{Action: "sts:AssumeRoleWithWebIdentity", Layer: LayerTrust, Side: SideA}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseDenial(c.text)
			if !ok {
				t.Fatal("not understood")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, text := range []string{"", "Access Denied", "User: ", "There were headers present in the request which were not signed"} {
		if d, ok := ParseDenial(text); ok {
			t.Errorf("%q says nothing, got %+v", text, d)
		}
	}
}

func FuzzParseDenial(f *testing.F) {
	f.Add("User: a is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b\" with an explicit deny in a session " +
		"policy: arn:x")
	f.Add(legacyKMS)
	f.Add("Access Denied")
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := ParseDenial(text)
		if !ok && d != (Denial{}) {
			t.Fatalf("not understood, but %+v", d)
		}
		if ok && (d.Action == "" || d.Side != d.Layer.Side()) {
			t.Fatalf("%+v", d)
		}
		flat := strings.Join(strings.Fields(text), " ")
		for _, part := range []string{d.Principal, d.Resource, d.PolicyARN} {
			if !strings.Contains(flat, part) {
				t.Fatalf("%q is not in the text", part)
			}
		}
	})
}
