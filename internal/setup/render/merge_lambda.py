# Merges statements by Sid into a policy that others share, and adds settings that a
# bucket lacks. Statements and lifecycle rules of others are kept.
import json
import time

import boto3
import cfnresponse
from botocore.exceptions import ClientError

KEEP = "BrokerdKeepAccountAdmin"  # without it no identity might be able to change the key policy again


def merged(text, wanted, sids):
    policy = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
    theirs = policy["Statement"]
    theirs = theirs if isinstance(theirs, list) else [theirs]
    policy["Statement"] = [s for s in theirs if s.get("Sid") not in sids] + wanted
    return policy


def put(call, **arguments):
    # A role that was made a moment ago is not known everywhere yet.
    for left in reversed(range(12)):
        try:
            return call(**arguments)
        except ClientError as e:
            if left == 0 or "rincipal" not in str(e):
                raise
            time.sleep(5)


def absent(call, code, **arguments):
    try:
        return call(**arguments)
    except ClientError as e:
        if e.response["Error"]["Code"] != code:
            raise
        return None


def key(arn, wanted, sids, settings):
    kms = boto3.client("kms")
    policy = merged(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"], wanted, sids)
    put(kms.put_key_policy, KeyId=arn, PolicyName="default", Policy=json.dumps(policy))


def bucket(name, wanted, sids, settings):
    s3 = boto3.client("s3")
    for call, arguments in settings:
        if call == "put_bucket_lifecycle_configuration":
            have = absent(s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", Bucket=name)
            ids = {r["ID"] for r in arguments["LifecycleConfiguration"]["Rules"]}
            arguments["LifecycleConfiguration"]["Rules"] += [r for r in (have or {}).get("Rules", []) if r.get("ID") not in ids]
        getattr(s3, call)(Bucket=name, **arguments)
    have = absent(s3.get_bucket_policy, "NoSuchBucketPolicy", Bucket=name)
    policy = merged(have and have["Policy"], wanted, sids)
    if policy["Statement"]:
        put(s3.put_bucket_policy, Bucket=name, Policy=json.dumps(policy))
    elif have:
        s3.delete_bucket_policy(Bucket=name)


def handler(event, context):
    now, before = event["ResourceProperties"], event.get("OldResourceProperties") or {}
    target = now["Target"]
    try:
        ours = json.loads(now["Statements"])
        sids = {s["Sid"] for s in ours + json.loads(before.get("Statements", "[]"))}
        settings = [s for name, s in json.loads(now["Settings"]).items() if name in now["Use"]]
        if event["RequestType"] == "Delete":
            ours, settings, sids = [], [], sids - {KEEP}
        {"key": key, "bucket": bucket}[now["Kind"]](target, ours, sids, settings)
        cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, target)
    except Exception as e:
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, target, reason=str(e))
