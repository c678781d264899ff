package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// ownKey makes a key for the row alone, whose ARN is $OWN.
func ownKey(in kms.CreateKeyInput) Step {
	in.Tags = append(in.Tags, types.Tag{TagKey: str(Tag), TagValue: str("$PREFIX")})
	return kmsDo((*kms.Client).CreateKey, in, keep("OWN", "KeyMetadata.Arn"), keep("OWNID", "KeyMetadata.KeyId"))
}

const noKey = "00000000-0000-0000-0000-000000000000"

func keyRows() []Row {
	describe := func(id string, opts ...Option) Step {
		return kmsDo((*kms.Client).DescribeKey, kms.DescribeKeyInput{KeyId: str(id)}, opts...)
	}
	create := func(in kms.CreateKeyInput) Step { return kmsDo((*kms.Client).CreateKey, in) }
	encrypt := func(id string) Step {
		return kmsDo((*kms.Client).Encrypt, kms.EncryptInput{KeyId: str(id), Plaintext: []byte("x")})
	}
	disable := kmsDo((*kms.Client).DisableKey, kms.DisableKeyInput{KeyId: str("$OWN")})
	schedule := kmsDo((*kms.Client).ScheduleKeyDeletion, kms.ScheduleKeyDeletionInput{KeyId: str("$OWN"), PendingWindowInDays: num(7)})
	alias := func(name, target string) Step {
		return kmsDo((*kms.Client).CreateAlias, kms.CreateAliasInput{AliasName: str(name), TargetKeyId: str(target)})
	}
	rotate := func(id string) Step {
		return kmsDo((*kms.Client).RotateKeyOnDemand, kms.RotateKeyOnDemandInput{KeyId: str(id)})
	}
	var tooMany []types.Tag
	for range 51 {
		tooMany = append(tooMany, types.Tag{TagKey: str("k"), TagValue: str("v")})
	}
	for i := range tooMany {
		tooMany[i].TagKey = str("key" + string(rune('A'+i%26)) + string(rune('a'+i/26)))
	}
	var exhausted []Step
	exhausted = append(exhausted, ownKey(kms.CreateKeyInput{}))
	for range 25 {
		exhausted = append(exhausted, rotate("$OWN"))
	}
	const different, missing, invalid = "LocalStack, test_get_key_in_different_region", "LocalStack, test_get_key_does_not_exist",
		"LocalStack, test_get_key_invalid_uuid"
	notFound := func(text string) Want { return refused(400, "NotFoundException", text) }
	const arn = "arn:aws:kms:$REGION:$A:key/"
	return []Row{
		row("of a key", describe("$KEY"),
			answers(200).field("KeyMetadata.KeyState", "Enabled").field("KeyMetadata.KeySpec", "SYMMETRIC_DEFAULT").
				field("KeyMetadata.CustomerMasterKeySpec", "SYMMETRIC_DEFAULT").
				field("KeyMetadata.KeyUsage", "ENCRYPT_DECRYPT").field("KeyMetadata.KeyManager", "CUSTOMER").
				field("KeyMetadata.Origin", "AWS_KMS").field("KeyMetadata.MultiRegion", "false").
				field("KeyMetadata.EncryptionAlgorithms", "SYMMETRIC_DEFAULT").
				field("KeyMetadata.AWSAccountId", "$A"), suite("LocalStack, test_create_key")),
		row("of a key for MACs", describe("$HMAC"),
			answers(200).field("KeyMetadata.MacAlgorithms", "HMAC_SHA_256").field("KeyMetadata.KeyUsage", "GENERATE_VERIFY_MAC").
				without("KeyMetadata.EncryptionAlgorithms"), suite("LocalStack, test_hmac_create_key")),
		row("of an id that is not there", describe(noKey), notFound("Key '"+arn+noKey+"' does not exist"), suite(missing)),
		row("of an ARN that is not there", describe(arn+noKey), notFound("Key '"+arn+noKey+"' does not exist"), suite(missing)),
		row("of a multi-Region key that is not there", describe("mrk-d3b95762d3b95762d3b95762d3b95762"),
			notFound("Key '"+arn+"mrk-d3b95762d3b95762d3b95762d3b95762' does not exist"), suite(missing)),
		row("of an ARN of another Region", describe("arn:aws:kms:$OTHER:$A:key/"+noKey), notFound("Invalid arn $OTHER"), suite(different)),
		row("of a key of another Region", describe("$KEYID", signedFor("$OTHER")),
			notFound("Key 'arn:aws:kms:$OTHER:$A:key/$KEYID' does not exist"), suite(different)),
		row("of an id that is none", describe("fake-key-id"), notFound("Invalid keyId 'fake-key-id'"), suite(invalid)),
		row("of an id without hyphens", describe("134f2428cec14b25a1ae9048164dba47"),
			notFound("Invalid keyId '134f2428cec14b25a1ae9048164dba47'"), suite(invalid)),
		row("of a multi-Region id that is none", describe("mrk-fake-key-id"), notFound("Invalid keyId 'mrk-fake-key-id'"), suite(invalid)),
		row("of an alias that is not there", describe("alias/$NAME"), notFound("Alias arn:aws:kms:$REGION:$A:alias/$NAME is not found."),
			suite("LocalStack, test_kms.py, aliases")),

		row("for MACs, without a usage", create(kms.CreateKeyInput{KeySpec: types.KeySpecHmac256}),
			refused(400, "ValidationException",
				"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."),
			suite("LocalStack, test_hmac_create_key_invalid_operations")),
		row("of a spec that is none", create(kms.CreateKeyInput{KeySpec: "HMAC_random", KeyUsage: types.KeyUsageTypeGenerateVerifyMac}),
			refused(400, "ValidationException",
				"1 validation error detected: Value 'HMAC_random' at 'keySpec' failed to satisfy constraint: Member must satisfy enum "+
					"value set: […]"), suite("LocalStack, test_hmac_create_key_invalid_operations")),
		row("of a usage that is none", create(kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: "RANDOM"}),
			refused(400, "ValidationException",
				"1 validation error detected: Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum "+
					"value set: […]"), suite("LocalStack, test_hmac_create_key_invalid_operations")),
		row("of a usage that does not fit",
			create(kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeEncryptDecrypt}),
			refused(400, "ValidationException", "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec HMAC_256"),
			suite("LocalStack, test_hmac_create_key_invalid_operations")),
		row("with 51 tags", create(kms.CreateKeyInput{Tags: tooMany}), refused(400, "TagException", "Too many tags"),
			suite("LocalStack, test_create_key_with_too_many_tags_raises_error")),
		row("with a tag of aws:", create(kms.CreateKeyInput{Tags: []types.Tag{{TagKey: str("aws:a"), TagValue: str("b")}}}),
			refused(400, "TagException", "Tags beginning with aws: are reserved"),
			suite("LocalStack, test_create_key_with_invalid_tag_key")),
		row("with a policy that is no JSON", create(kms.CreateKeyInput{Policy: str("none")}),
			refused(400, "MalformedPolicyDocumentException", ""), reference("CreateKey, Errors")),

		row("of a key that waits for its material", encrypt("$EXTERNAL"),
			refused(400, "KMSInvalidStateException", "$EXTERNAL is pending import."),
			suite("LocalStack, test_import_key_symmetric")),
		row("of a key that waits for its material", describe("$EXTERNAL"),
			answers(200).field("KeyMetadata.KeyState", "PendingImport").field("KeyMetadata.Enabled", "false").
				field("KeyMetadata.Origin", "EXTERNAL").without("KeyMetadata.ExpirationModel"), suite("LocalStack, test_import_key_symmetric")),
		row("under a disabled key", encrypt("$OWN"), refused(400, "DisabledException", "$OWN is disabled."),
			suite("LocalStack, test_kms.py, disabled keys"), ownKey(kms.CreateKeyInput{}), disable),
		row("under a key that is pending deletion", encrypt("$OWN"),
			refused(400, "KMSInvalidStateException", "$OWN is pending deletion."), suite("LocalStack, key states"),
			ownKey(kms.CreateKeyInput{}), schedule),
		row("of a key", schedule, answers(200).field("KeyId", "$OWN").field("KeyState", "PendingDeletion").
			field("PendingWindowInDays", "7").field("DeletionDate", "…"), suite("LocalStack, test_schedule_and_cancel_key_deletion"),
			ownKey(kms.CreateKeyInput{})),
		row("twice", schedule, refused(400, "KMSInvalidStateException", "$OWN is pending deletion."), suite("LocalStack, key states"),
			ownKey(kms.CreateKeyInput{}), schedule),
		row("within six days", kmsDo((*kms.Client).ScheduleKeyDeletion,
			kms.ScheduleKeyDeletionInput{KeyId: str("$OWN"), PendingWindowInDays: num(6)}), refused(400, "ValidationException", "…"),
			reference("ScheduleKeyDeletion, PendingWindowInDays"), ownKey(kms.CreateKeyInput{})),
		row("of a key that is pending deletion", kmsDo((*kms.Client).CancelKeyDeletion, kms.CancelKeyDeletionInput{KeyId: str("$OWN")}),
			answers(200).field("KeyId", "$OWN"), reference("CancelKeyDeletion"), ownKey(kms.CreateKeyInput{}), schedule),

		row("by its id", rotate("$OWNID"), answers(200).field("KeyId", "$OWN"), suite("LocalStack, test_rotate_key_on_demand"),
			ownKey(kms.CreateKeyInput{})),
		row("of a disabled key for signatures", rotate("$OWN"), refused(400, "DisabledException", "$OWN is disabled."),
			suite("LocalStack, test_rotate_key_on_demand_raises_error_given_key_is_disabled"),
			ownKey(kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify}), disable),
		row("of a key for signatures", rotate("$ECC"), refused(400, "UnsupportedOperationException", ""),
			suite("LocalStack, test_rotate_key_on_demand_raises_error_given_non_symmetric_key")),
		row("of a key that waits for its material", rotate("$EXTERNAL"), refused(400, "KMSInvalidStateException", "…"),
			suite("LocalStack, test_rotate_key_on_demand_with_imported_key")),
		local(row("for the 26th time", rotate("$OWN"), refused(400, "LimitExceededException", ""),
			reference("RotateKeyOnDemand: at most 25 times"), exhausted...), "each rotation takes minutes"),
		row("of a key without it", kmsDo((*kms.Client).GetKeyRotationStatus, kms.GetKeyRotationStatusInput{KeyId: str("$KEY")}),
			answers(200).field("KeyRotationEnabled", "false").without("RotationPeriodInDays"),
			suite("LocalStack, test_key_rotation_status")),
		row("for 30 days", kmsDo((*kms.Client).EnableKeyRotation,
			kms.EnableKeyRotationInput{KeyId: str("$KEY"), RotationPeriodInDays: num(30)}),
			refused(400, "ValidationException",
				"1 validation error detected: Value '30' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value greater "+
					"than or equal to 90"), suite("LocalStack, test_key_enable_rotation_limits")),

		row("of aws/", alias("alias/aws/$NAME", "$KEY"), refused(400, "NotAuthorizedException", ""), suite("LocalStack, test_create_alias")),
		row("twice", alias("alias/$NAME", "$KEY"),
			refused(400, "AlreadyExistsException", "An alias with the name arn:aws:kms:$REGION:$A:alias/$NAME already exists"),
			suite("LocalStack, test_kms.py, aliases"), alias("alias/$NAME", "$KEY")),
		row("without its prefix", alias("$NAME", "$KEY"),
			refused(400, "ValidationException",
				"Alias must start with the prefix \"alias/\". Please see "+
					"https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"), suite("moto, aws_verified aliases")),
		row("of a key", kmsDo((*kms.Client).GetKeyPolicy, kms.GetKeyPolicyInput{KeyId: str("$KEY"), PolicyName: str("default")}),
			answers(200).field("PolicyName", "default").field("Policy", "…Enable IAM User Permissions…"),
			suite("LocalStack, test_replicate_key, the default policy")),
		row("of another name", kmsDo((*kms.Client).GetKeyPolicy, kms.GetKeyPolicyInput{KeyId: str("$KEY"), PolicyName: str("other")}),
			refused(400, "NotFoundException", "No such policy exists"), suite("LocalStack, test_kms.py, key policies")),
		row("by a stranger of the other account", describe("$KEY", as("B")),
			refused(400, "AccessDeniedException", "User: … is not authorized to perform: kms:DescribeKey on resource: $KEY because …"),
			report("denials of KMS across accounts")),
	}
}
