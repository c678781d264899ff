package recorded

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// assumptionRows state answers of the sandbox for which there is no source: the
// documentation says that AWS refuses, and not how. Asked of AWS, each one settles
// a line of docs/unverified.md.
func assumptionRows() []Row {
	source := assumption("docs/unverified.md")
	validation := func(text string) Want { return refused(400, "ValidationException", text) }
	grant := func(in kms.CreateGrantInput) Step {
		if in.KeyId == nil {
			in.KeyId = str("$KEY")
		}
		in.GranteePrincipal = str("arn:aws:iam::$A:root")
		return kmsDo((*kms.Client).CreateGrant, in)
	}
	retire := func(in kms.RetireGrantInput) Step { return kmsDo((*kms.Client).RetireGrant, in) }
	importing := func(in kms.ImportKeyMaterialInput) Step {
		in.KeyId, in.ImportToken, in.EncryptedKeyMaterial = str("$EXTERNAL"), []byte("x"), []byte("x")
		return kmsDo((*kms.Client).ImportKeyMaterial, in)
	}
	late := time.Now().Add(400 * 24 * time.Hour)
	encrypt := []types.GrantOperation{types.GrantOperationEncrypt}
	return []Row{
		row("for an alias of a key of another kind",
			kmsDo((*kms.Client).UpdateAlias, kms.UpdateAliasInput{AliasName: str("alias/$NAME"), TargetKeyId: str("$ECC")}),
			validation("The current and the new key of alias arn:aws:kms:$REGION:$A:alias/$NAME must have the same type and the same "+
				"key usage."), source,
			kmsDo((*kms.Client).CreateAlias, kms.CreateAliasInput{AliasName: str("alias/$NAME"), TargetKeyId: str("$KEY")})),
		row("by RSA with a context", kmsDo((*kms.Client).Encrypt, kms.EncryptInput{
			KeyId: str("$RSA"), Plaintext: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256,
			EncryptionContext: map[string]string{"a": "b"},
		}), validation("Encryption context is not supported for encryption algorithm RSAES_OAEP_SHA_256."), source),
		row("by RSA without a key", kmsDo((*kms.Client).Decrypt,
			kms.DecryptInput{CiphertextBlob: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256}),
			validation("KeyId is required for encryption algorithm RSAES_OAEP_SHA_256."), source),
		row("with a grant token that is none",
			kmsDo((*kms.Client).Encrypt, kms.EncryptInput{KeyId: str("$KEY"), Plaintext: []byte("x"), GrantTokens: []string{"none"}}),
			refused(400, "InvalidGrantTokenException", "The grant token is not valid."), source),
		row("without an operation", grant(kms.CreateGrantInput{Operations: []types.GrantOperation{}}), validation("…"), source),
		row("of an operation that the key has not", grant(kms.CreateGrantInput{KeyId: str("$ECC"), Operations: encrypt}),
			validation("Grant operation Encrypt is not valid for a key with key usage SIGN_VERIFY and key spec ECC_NIST_P256."), source),
		row("of a key for signatures, with a context", grant(kms.CreateGrantInput{
			KeyId: str("$ECC"), Operations: []types.GrantOperation{types.GrantOperationSign},
			Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}},
		}), validation("Encryption context constraints are not valid for a key with key spec ECC_NIST_P256."), source),
		row("retired by no principal", grant(kms.CreateGrantInput{Operations: encrypt, RetiringPrincipal: str("none")}),
			refused(400, "InvalidArnException", "ARN does not refer to a valid principal: none"), source),
		row("that is not there", kmsDo((*kms.Client).RevokeGrant,
			kms.RevokeGrantInput{KeyId: str("$KEY"), GrantId: str("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")}),
			refused(400, "NotFoundException", "Grant ID 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef not found"), source),
		row("that nothing names", retire(kms.RetireGrantInput{}),
			validation("Please specify either the grant token or the grant ID with the key ID."), source),
		row("by the id of the key", retire(kms.RetireGrantInput{KeyId: str("$KEYID"),
			GrantId: str("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")}),
			refused(400, "InvalidArnException", "Invalid arn $KEYID"), source),
		row("with an expiry that the model excludes",
			importing(kms.ImportKeyMaterialInput{ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire, ValidTo: &late}),
			validation("A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"), source),
		row("that expires in 400 days",
			importing(kms.ImportKeyMaterialInput{ExpirationModel: types.ExpirationModelTypeKeyMaterialExpires, ValidTo: &late}),
			validation("The validTo date must be in the future and not more than 365 days away."), source),
		row("by an ARN that is none", kmsDo((*kms.Client).DescribeKey, kms.DescribeKeyInput{KeyId: str("arn:aws:s3:::bucket")}),
			refused(400, "NotFoundException", "Invalid keyId 'arn:aws:s3:::bucket'"), source),
		row("with a marker that is none", kmsDo((*kms.Client).ListKeys, kms.ListKeysInput{Marker: str("none")}),
			refused(400, "InvalidMarkerException", "Could not deserialize marker 'none'"), source),
		row("of a message of another signature", kmsDo((*kms.Client).Sign, kms.SignInput{
			KeyId: str("$ECC"), Message: []byte("x"), MessageType: types.MessageTypeExternalMu,
			SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
		}), validation("Message type EXTERNAL_MU is not valid for algorithm ECDSA_SHA_256."), source),

		row("with a source identity that the trust policy does not allow", assumed(sts.AssumeRoleInput{SourceIdentity: str("somebody")}),
			refused(403, "AccessDenied", "User: … is not authorized to perform: sts:SetSourceIdentity on resource: $ROLE"), source,
			trusting(trustA)),
		row("after a role that set a source identity, which this one does not allow",
			assumed(sts.AssumeRoleInput{RoleArn: str("$NEXT")}, as("session")),
			answers(200).field("SourceIdentity", "somebody"), source,
			trusting(policyHead+`{"Effect":"Allow","Principal":{"AWS":"$A"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}`+policyTail),
			iamDo((*iam.Client).PutRolePolicy, iam.PutRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p"), PolicyDocument: str(
				policyHead + `{"Effect":"Allow","Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":"*"}` + policyTail)}),
			iamDo((*iam.Client).CreateRole, iam.CreateRoleInput{RoleName: str("$NAME-2"), AssumeRolePolicyDocument: str(trustA)},
				keep("NEXT", "Role.Arn")),
			assumed(sts.AssumeRoleInput{SourceIdentity: str("somebody")})),
	}
}
