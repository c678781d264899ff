"""Does with a template what CloudFormation does, as far as the templates of
brokerctl need it: parameters, conditions, Ref, Fn::GetAtt, Fn::If, Fn::Sub, and
the types that occur. A function's code is run here, as Lambda would."""
import json
import re
import sys
import types

import boto3

template = json.load(open(sys.argv[1]))
event_type = sys.argv[2]  # Create, Update, Delete
parameters = {k: p["Default"] for k, p in template.get("Parameters", {}).items()}
parameters = {k: v.split(",") if template["Parameters"][k]["Type"] == "CommaDelimitedList" else v for k, v in parameters.items()}
account = boto3.client("sts").get_caller_identity()["Account"]
refs = {"AWS::AccountId": account, "AWS::Partition": "aws", "AWS::Region": "eu-west-1", **parameters}
attributes = {}
NONE = object()


def condition(c):
    (op, args), = c.items()
    if op == "Fn::Not":
        return not condition(args[0])
    if op == "Fn::Equals":
        return resolve(args[0]) == resolve(args[1])
    raise SystemExit("unknown condition " + op)


def resolve(v):
    if isinstance(v, list):
        return [x for x in map(resolve, v) if x is not NONE]
    if not isinstance(v, dict):
        return v
    if len(v) == 1:
        (op, args), = v.items()
        if op == "Ref":
            return NONE if args == "AWS::NoValue" else refs[args]
        if op == "Fn::GetAtt":
            return attributes[args[0]][args[1]]
        if op == "Fn::If":
            return resolve(args[1] if condition(template["Conditions"][args[0]]) else args[2])
        if op == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda m: refs[m[1]], args)
    return {k: r for k, r in ((k, resolve(x)) for k, x in v.items()) if r is not NONE}


iam, s3 = boto3.client("iam"), boto3.client("s3")
functions = {}


def role(name, p):
    made = iam.create_role(RoleName=p.get("RoleName", name), Path=p.get("Path", "/"), AssumeRolePolicyDocument=json.dumps(p["AssumeRolePolicyDocument"]),
                           **{k: p[k] for k in ("MaxSessionDuration", "PermissionsBoundary") if k in p})["Role"]
    for policy in p.get("Policies", []):
        iam.put_role_policy(RoleName=made["RoleName"], PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(policy["PolicyDocument"]))
    refs[name], attributes[name] = made["RoleName"], {"Arn": made["Arn"]}


def function(name, p):
    refs[name], attributes[name] = name, {"Arn": "arn:aws:lambda:eu-west-1:%s:function:%s" % (account, name)}
    functions[attributes[name]["Arn"]] = p["Code"]["ZipFile"]


def custom(name, p):
    def send(event, context, status, data, physical, reason=None):
        if status != "SUCCESS":
            raise SystemExit("%s failed: %s" % (name, reason))

    sys.modules["cfnresponse"] = types.SimpleNamespace(SUCCESS="SUCCESS", FAILED="FAILED", send=send)
    space = {}
    exec(functions[p["ServiceToken"]], space)
    space["handler"]({"RequestType": event_type, "ResourceProperties": p}, None)


def bucket(name, p):
    b = p["BucketName"]
    s3.create_bucket(Bucket=b, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls=p["OwnershipControls"])
    s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration=p["PublicAccessBlockConfiguration"])
    rules = [{"BucketKeyEnabled": r["BucketKeyEnabled"], "ApplyServerSideEncryptionByDefault": r["ServerSideEncryptionByDefault"]} for r in p["BucketEncryption"]["ServerSideEncryptionConfiguration"]]
    s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={"Rules": rules})
    rules = [{"ID": r["Id"], "Status": r["Status"], "Filter": {"Prefix": r.get("Prefix", "")}, "AbortIncompleteMultipartUpload": r["AbortIncompleteMultipartUpload"]} for r in p["LifecycleConfiguration"]["Rules"]]
    s3.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": rules})
    refs[name] = b


def bucket_policy(name, p):
    s3.put_bucket_policy(Bucket=p["Bucket"], Policy=json.dumps(p["PolicyDocument"]))


kinds = {"AWS::IAM::Role": role, "AWS::Lambda::Function": function, "Custom::BrokerdStatements": custom, "AWS::S3::Bucket": bucket, "AWS::S3::BucketPolicy": bucket_policy}
for name, resource in template["Resources"].items():  # rendered in an order that needs nothing later
    if event_type != "Create" and resource["Type"] not in ("Custom::BrokerdStatements", "AWS::Lambda::Function"):
        attributes[name] = {"Arn": name}
        continue
    kinds[resource["Type"]](name, resolve(resource["Properties"]))
print({k: resolve(o["Value"]) for k, o in template["Outputs"].items()} if event_type == "Create" else event_type)
