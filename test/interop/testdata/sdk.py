# boto3 through a delivery across accounts: what it is told, it has to
# understand. The environment is that of `brokerctl sandbox env`.
import io
import json
import os

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, MissingDependencyException


def session(profile):
    s = boto3.Session(profile_name=profile)
    return lambda name: s.client(name, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def code(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return None


def expect(name, got, want):
    if got != want:
        raise SystemExit(f"{name}: {got!r}, want {want!r}")


a, b = session("account-a"), session("account-b")
iam, kms, s3 = a("iam"), b("kms"), b("s3")
account_a, account_b = a("sts").get_caller_identity()["Account"], b("sts").get_caller_identity()["Account"]

iam.create_user(UserName="app")
allow = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
iam.put_user_policy(UserName="app", PolicyName="assume", PolicyDocument=json.dumps(allow))
keys = iam.create_access_key(UserName="app")["AccessKey"]
trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account_a}:user/app"}, "Action": "sts:AssumeRole"}}
role = iam.create_role(RoleName="uploader", AssumeRolePolicyDocument=json.dumps(trust), Tags=[{"Key": "team", "Value": "logs"}])["Role"]
expect("the trust policy", iam.get_role(RoleName="uploader")["Role"]["AssumeRolePolicyDocument"], trust)
key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account_b}:root"}, "Action": "kms:*", "Resource": "*"},
    {"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}]}))["KeyMetadata"]["Arn"]
s3.create_bucket(Bucket="delivered", CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_REGION"]})
s3.put_bucket_policy(Bucket="delivered", Policy=json.dumps({"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": "arn:aws:s3:::delivered/logs/*"}}))
iam.put_role_policy(RoleName="uploader", PolicyName="deliver", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": "arn:aws:s3:::delivered/logs/*"},
    {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": key}]}))

app = boto3.Session(aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"])
c = app.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="brokerd")["Credentials"]
up = boto3.Session(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"]).client(
    "s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))
sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
    try:
        out = up.put_object(Bucket="delivered", Key="logs/" + algorithm, Body=b"text", ChecksumAlgorithm=algorithm, **sse)
    except MissingDependencyException:
        continue
    head = s3.head_object(Bucket="delivered", Key="logs/" + algorithm, ChecksumMode="ENABLED")
    expect(algorithm, head["Checksum" + algorithm], out["Checksum" + algorithm])
expect("the key that is used", head["SSEKMSKeyId"], key)

body = os.urandom(13_000_000)
up.upload_fileobj(io.BytesIO(body), "delivered", "logs/parts", ExtraArgs=sse, Config=TransferConfig(multipart_chunksize=5 << 20))
got = io.BytesIO()
s3.download_fileobj("delivered", "logs/parts", got, Config=TransferConfig(multipart_chunksize=5 << 20))
expect("a multipart upload is the same", got.getvalue() == body, True)
expect("parts", len(s3.get_object_attributes(Bucket="delivered", Key="logs/parts", ObjectAttributes=["ObjectParts"])["ObjectParts"].get("Parts", [1, 2, 3])), 3)

odd = ["logs/a b", "logs/a+b", "logs/ä/ö", "logs/%41", "logs/a&b=c?d#e", "logs/.hidden", "logs/'\"<>", "logs/\u00a0\u2028x"]
for name in odd:
    s3.put_object(Bucket="delivered", Key=name, Body=name.encode(), Metadata={"name": "x"})
    expect(name, s3.get_object(Bucket="delivered", Key=name)["Body"].read().decode(), name)
listed = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="delivered", PaginationConfig={"PageSize": 3}) for o in page["Contents"]]
expect("the list is sorted and whole", [k for k in listed if k in odd], sorted(odd, key=lambda k: k.encode()))
expect("all are listed", set(odd) <= set(listed), True)

started = up.create_multipart_upload(Bucket="delivered", Key="logs/stale", **sse)
expect("open uploads", [u["UploadId"] for u in s3.list_multipart_uploads(Bucket="delivered")["Uploads"]], [started["UploadId"]])
up.abort_multipart_upload(Bucket="delivered", Key="logs/stale", UploadId=started["UploadId"])
expect("a condition", code(s3.put_object, Bucket="delivered", Key="logs/a b", Body=b"", IfNoneMatch="*"), "PreconditionFailed")
expect("another prefix", code(up.put_object, Bucket="delivered", Key="other", Body=b"", **sse), "AccessDenied")
expect("reading", code(up.get_object, Bucket="delivered", Key="logs/parts"), "AccessDenied")
expect("no such key", code(s3.get_object, Bucket="delivered", Key="none"), "NoSuchKey")
expect("no such head", code(s3.head_object, Bucket="delivered", Key="none"), "404")
deleted = s3.delete_objects(Bucket="delivered", Delete={"Objects": [{"Key": k} for k in odd]})
expect("deleted", sorted(d["Key"] for d in deleted["Deleted"]), sorted(odd))

kms.disable_key(KeyId=key)
expect("a disabled key", code(s3.get_object, Bucket="delivered", Key="logs/parts"), "KMS.DisabledException")
expect("KMS says so, too", code(kms.encrypt, KeyId=key, Plaintext=b"x"), "DisabledException")
events = b("cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "PutObject"}])["Events"]
expect("the trail knows the puts", len(events) > 5, True)
expect("an operation that is not there", code(iam.list_mfa_devices), "NotImplemented")
print("ok")
