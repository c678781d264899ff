// The AWS SDK for JavaScript through a delivery across accounts. The
// environment is that of `brokerctl sandbox env`, with the profiles of both accounts.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { fromIni } from '@aws-sdk/credential-providers';
import { IAMClient, CreateUserCommand, PutUserPolicyCommand, CreateAccessKeyCommand, CreateRoleCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { KMSClient, CreateKeyCommand } from '@aws-sdk/client-kms';
import { S3Client, CreateBucketCommand, PutBucketPolicyCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { STSClient, AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

const region = process.env.AWS_REGION;
const as = (profile) => ({ region, credentials: fromIni({ profile }) });
const a = as('account-a'), b = as('account-b');
const iam = new IAMClient(a), kms = new KMSClient(b), s3 = new S3Client({ ...b, forcePathStyle: true });
const accountA = (await new STSClient(a).send(new GetCallerIdentityCommand({}))).Account;
const accountB = (await new STSClient(b).send(new GetCallerIdentityCommand({}))).Account;
const policy = (...Statement) => JSON.stringify({ Version: '2012-10-17', Statement });

await iam.send(new CreateUserCommand({ UserName: 'app' }));
await iam.send(new PutUserPolicyCommand({ UserName: 'app', PolicyName: 'assume', PolicyDocument: policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }) }));
const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'app' }));
const { Role } = await iam.send(new CreateRoleCommand({
  RoleName: 'uploader', AssumeRolePolicyDocument: policy({ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${accountA}:user/app` }, Action: 'sts:AssumeRole' }),
}));
const Key = (await kms.send(new CreateKeyCommand({
  Policy: policy(
    { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${accountB}:root` }, Action: 'kms:*', Resource: '*' },
    { Effect: 'Allow', Principal: { AWS: Role.Arn }, Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: '*' }),
}))).KeyMetadata.Arn;
const deliver = { Effect: 'Allow', Action: ['s3:PutObject', 's3:AbortMultipartUpload'], Resource: 'arn:aws:s3:::delivered/logs/*' };
await iam.send(new PutRolePolicyCommand({
  RoleName: 'uploader', PolicyName: 'deliver', PolicyDocument: policy(deliver, { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: Key }),
}));
await s3.send(new CreateBucketCommand({ Bucket: 'delivered', CreateBucketConfiguration: { LocationConstraint: region } }));
await s3.send(new PutBucketPolicyCommand({ Bucket: 'delivered', Policy: policy({ ...deliver, Principal: { AWS: Role.Arn } }) }));

const sts = new STSClient({ region, credentials: { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey } });
const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: 'brokerd' }));
const uploader = new S3Client({
  region, forcePathStyle: true, maxAttempts: 1,
  credentials: { accessKeyId: Credentials.AccessKeyId, secretAccessKey: Credentials.SecretAccessKey, sessionToken: Credentials.SessionToken },
});
const target = { Bucket: 'delivered', ServerSideEncryption: 'aws:kms', SSEKMSKeyId: Key };

const put = await uploader.send(new PutObjectCommand({ ...target, Key: 'logs/small', Body: 'text' }));
assert.equal(put.SSEKMSKeyId, Key);
const body = randomBytes(11_000_000);
await new Upload({ client: uploader, params: { ...target, Key: 'logs/parts', Body: body }, partSize: 5 << 20 }).done();
const got = await s3.send(new GetObjectCommand({ Bucket: 'delivered', Key: 'logs/parts', ChecksumMode: 'ENABLED' }));
assert.ok(body.equals(Buffer.from(await got.Body.transformToByteArray())), 'a multipart upload came back as something else');
const small = await s3.send(new GetObjectCommand({ Bucket: 'delivered', Key: 'logs/small', ChecksumMode: 'ENABLED' }));
assert.equal(await small.Body.transformToString(), 'text');
assert.ok(put.ChecksumCRC32, 'the SDK computes a checksum unasked');
assert.equal(small.ChecksumCRC32, put.ChecksumCRC32);
const head = await s3.send(new HeadObjectCommand({ Bucket: 'delivered', Key: 'logs/parts' }));
assert.equal(head.ContentLength, body.length);
assert.equal(head.ServerSideEncryption, 'aws:kms');

const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'delivered', Key: 'logs/small' }), { expiresIn: 60 });
assert.equal(await (await fetch(url)).text(), 'text');
// Without the checksum of a body that is not there yet.
const plain = new S3Client({ ...b, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' });
const upload = await getSignedUrl(plain, new PutObjectCommand({ Bucket: 'delivered', Key: 'logs/signed' }), { expiresIn: 60 });
assert.ok((await fetch(upload, { method: 'PUT', body: 'by address' })).ok);
const other = await fetch(upload.replace('/signed', '/other'), { method: 'PUT', body: 'x' });
assert.match(await other.text(), /<Code>SignatureDoesNotMatch</);
const list = await s3.send(new ListObjectsV2Command({ Bucket: 'delivered', Prefix: 'logs/' }));
assert.deepEqual(list.Contents.map((o) => o.Key), ['logs/parts', 'logs/signed', 'logs/small']);
await assert.rejects(uploader.send(new PutObjectCommand({ ...target, Key: 'other', Body: 'x' })), { name: 'AccessDenied' });
await assert.rejects(uploader.send(new PutObjectCommand({ ...target, SSEKMSKeyId: 'alias/none', Key: 'logs/x', Body: 'x' })), { name: 'KMS.NotFoundException' });
console.log('ok');
