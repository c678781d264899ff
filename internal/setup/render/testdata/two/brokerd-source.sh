#!/bin/sh
# Account 111122223333: the roles that brokerd assumes. Written by
# `brokerctl setup render -o cli` from the configuration of brokerd.
#
# Needs the AWS CLI (1 or 2) and python3, and credentials of that account in the
# environment: AWS_PROFILE=admin sh brokerd-source.sh
# Safe to run twice: it reads first, merges into what others have there, and
# changes only what differs.
set -eu
export AWS_PAGER="" AWS_DEFAULT_OUTPUT=json PYTHONIOENCODING=utf-8

# BUCKET_SETTINGS is what to set on buckets that exist. "encryption" and
# "access_logs" replace the existing value as a whole; lifecycle rules are merged.
BUCKET_SETTINGS=${BUCKET_SETTINGS-ownership public_access lifecycle}
# DRY_RUN=1 says what would be done, and does nothing.
DRY_RUN=${DRY_RUN-}

W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
CHANGES=0

die() {
  printf '%s: %s\n' "$0" "$1" >&2
  exit 1
}

for tool in aws python3; do
  command -v "$tool" > /dev/null || die "$tool is not on PATH"
done

account() {
  have=$(aws sts get-caller-identity --query Account --output text)
  [ "$have" = "$1" ] || die "these credentials are of account $have, and this is for account $1"
}

# change TEXT COMMAND...: tells, and does.
change() {
  printf '%s%s\n' "${DRY_RUN:+would: }" "$1"
  CHANGES=$((CHANGES + 1))
  shift
  [ -n "$DRY_RUN" ] || "$@" > /dev/null
}

# patient COMMAND...: a role that was made a moment ago is not known everywhere yet.
patient() {
  left=24
  until "$@" 2> "$W/err"; do
    left=$((left - 1))
    if [ "$left" -eq 0 ] || ! grep -qi 'principal' "$W/err"; then
      cat "$W/err" >&2
      return 1
    fi
    sleep 5
  done
}

# read_into FILE CODE COMMAND...: the answer, or nothing where the error has this code.
read_into() {
  out=$1 code=$2
  shift 2
  if ! "$@" > "$out" 2> "$W/err"; then
    grep -q "$code" "$W/err" || { cat "$W/err" >&2; exit 1; }
    : > "$out"
    return 1
  fi
}

# differs KIND: whether $W/ours has to be merged into $W/old; $W/new is the outcome.
differs() {
  set +e
  python3 "$W/merge.py" "$1" "$W/old" "$W/ours" "$W/new"
  code=$?
  set -e
  case $code in
    0) return 0 ;;
    10) return 1 ;;
    *) die "merging failed" ;;
  esac
}

# role NAME PATH MAX_SECONDS BOUNDARY; the trust policy is in $W/ours.
role() {
  if read_into "$W/role" NoSuchEntity aws iam get-role --role-name "$1"; then
    aws iam get-role --role-name "$1" --query Role.AssumeRolePolicyDocument > "$W/old"
    path=$(aws iam get-role --role-name "$1" --query Role.Path --output text)
    [ "$path" = "$2" ] || die "role $1 exists below the path $path, and its path is to be $2"
    if differs policy; then
      change "role $1: trust policy" patient aws iam update-assume-role-policy --role-name "$1" --policy-document "file://$W/new"
    fi
    longest=$(aws iam get-role --role-name "$1" --query Role.MaxSessionDuration --output text)
    if [ "$longest" -lt "$3" ]; then
      change "role $1: sessions of $3 seconds" aws iam update-role --role-name "$1" --max-session-duration "$3"
    fi
    bound=$(aws iam get-role --role-name "$1" --query Role.PermissionsBoundary.PermissionsBoundaryArn --output text)
    if [ -n "$4" ] && [ "$bound" != "$4" ]; then
      change "role $1: permissions boundary" aws iam put-role-permissions-boundary --role-name "$1" --permissions-boundary "$4"
    fi
    return
  fi
  : > "$W/old"
  differs policy || die "the trust policy of role $1 has no statement"
  change "role $1: create" patient aws iam create-role --role-name "$1" --path "$2" --max-session-duration "$3" \
    --assume-role-policy-document "file://$W/new" ${4:+--permissions-boundary "$4"}
  [ -n "$DRY_RUN" ] || aws iam wait role-exists --role-name "$1"
}

# inline role|user NAME POLICY_NAME; the policy is in $W/ours, and all of it is ours.
inline() {
  read_into "$W/old" NoSuchEntity aws iam "get-$1-policy" "--$1-name" "$2" --policy-name "$3" --query PolicyDocument || true
  if differs whole; then
    change "$1 $2: policy $3" aws iam "put-$1-policy" "--$1-name" "$2" --policy-name "$3" --policy-document "file://$W/new"
  fi
}

# key_policy KEY_ARN REGION; our statements are in $W/ours.
key_policy() {
  aws kms get-key-policy --key-id "$1" --region "$2" --policy-name default --query Policy --output text > "$W/old"
  if differs policy; then
    change "key $1: policy" patient aws kms put-key-policy --key-id "$1" --region "$2" --policy-name default --policy "file://$W/new"
  fi
}

# bucket NAME REGION ACCOUNT yes|no: whether to make it where there is none.
bucket() {
  made=
  if ! read_into "$W/bucket" '(404)' aws s3api head-bucket --bucket "$1" --region "$2" --expected-bucket-owner "$3"; then
    [ "$4" = yes ] || die "there is no bucket $1"
    made=yes
    if [ "$2" = us-east-1 ]; then
      change "bucket $1: create" aws s3api create-bucket --bucket "$1" --region "$2" --object-ownership BucketOwnerEnforced
    else
      change "bucket $1: create" aws s3api create-bucket --bucket "$1" --region "$2" --object-ownership BucketOwnerEnforced \
        --create-bucket-configuration "LocationConstraint=$2"
    fi
  fi
}

# wanted SETTING: all of them for a bucket that was just made.
wanted() {
  [ -n "$made" ] && return 0
  case " $BUCKET_SETTINGS " in
    *" $1 "*) return 0 ;;
  esac
  return 1
}

# setting SETTING MERGE BUCKET REGION GET QUERY CODE PUT OPTION; $W/ours has the wanted value.
setting() {
  wanted "$1" || return 0
  if [ -n "$made" ] && [ -n "$DRY_RUN" ]; then
    : > "$W/old"
  else
    read_into "$W/old" "$7" aws s3api "$5" --bucket "$3" --region "$4" --query "$6" || true
  fi
  if differs "$2"; then
    change "bucket $3: $1" aws s3api "$8" --bucket "$3" --region "$4" "$9" "file://$W/new"
  fi
}

# bucket_policy NAME REGION; our statements are in $W/ours.
bucket_policy() {
  if [ -n "$made" ] && [ -n "$DRY_RUN" ]; then
    : > "$W/old"
  else
    read_into "$W/old" NoSuchBucketPolicy aws s3api get-bucket-policy --bucket "$1" --region "$2" --query Policy --output text || true
  fi
  if differs policy; then
    change "bucket $1: policy" patient aws s3api put-bucket-policy --bucket "$1" --region "$2" --policy "file://$W/new"
  fi
}

# trail ARN REGION; what to record is in $W/ours.
trail() {
  aws cloudtrail get-event-selectors --trail-name "$1" --region "$2" > "$W/old"
  differs trail || return 0
  if grep -q '"AdvancedEventSelectors"' "$W/new"; then
    python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); json.dump(d["AdvancedEventSelectors"], open(sys.argv[1], "w"))' "$W/new"
    change "trail $1: selectors" aws cloudtrail put-event-selectors --trail-name "$1" --region "$2" --advanced-event-selectors "file://$W/new"
  else
    python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); json.dump(d["EventSelectors"], open(sys.argv[1], "w"))' "$W/new"
    change "trail $1: selectors" aws cloudtrail put-event-selectors --trail-name "$1" --region "$2" --event-selectors "file://$W/new"
  fi
}

cat > "$W/merge.py" << 'END_OF_MERGE'
# Merging for the script around it. Prints nothing; exits 0 when NEW differs
# from OLD and was written, and 10 when OLD needs no change.
import json
import sys


def load(path):
    with open(path, encoding="utf-8") as f:
        text = f.read().strip()
    return json.loads(text) if text and text != "None" else None


def plain(v):
    """Two spellings of one value: a string, and a list with it alone; lists in any order."""
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, list):
        return plain(v[0]) if len(v) == 1 else sorted((plain(x) for x in v), key=lambda x: json.dumps(x, sort_keys=True))
    return v


def many(v):
    return v if isinstance(v, list) else [v]


def policy(old, ours):
    """Statements of others first, as they are, and then ours."""
    sids = {s["Sid"] for s in ours}
    have = many(old["Statement"]) if old else []
    new = dict(old or {"Version": "2012-10-17"})
    new["Statement"] = [s for s in have if s.get("Sid") not in sids] + ours
    mine = [s for s in have if s.get("Sid") in sids]
    return new, plain(mine) == plain(ours) and len(mine) == len(ours)


def whole(old, ours):
    return ours, old is not None and plain(old) == plain(ours)


def within(ours, old):
    """Whether old says all that ours does; AWS may add values of its own."""
    if isinstance(ours, dict):
        return isinstance(old, dict) and all(k in old and within(v, old[k]) for k, v in ours.items())
    if isinstance(ours, list):
        return isinstance(old, list) and len(ours) == len(old) and all(within(a, b) for a, b in zip(ours, old))
    return ours == old


def setting(old, ours):
    return ours, within(ours, old)


def lifecycle(old, ours):
    ids = {r["ID"] for r in ours["Rules"]}
    have = (old or {}).get("Rules", [])
    mine = [r for r in have if r.get("ID") in ids]
    return {"Rules": [r for r in have if r.get("ID") not in ids] + ours["Rules"]}, plain(mine) == plain(ours["Rules"])


def trail(old, ours):
    """A trail has selectors of one kind: basic or advanced."""
    name, objects = ours["Name"], ours["Objects"]
    advanced = old.get("AdvancedEventSelectors") or []
    if advanced:
        add = {"Name": name, "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "readOnly", "Equals": ["false"]}, {"Field": "resources.ARN", "StartsWith": objects}]}
        mine = [s for s in advanced if s.get("Name") == name]
        return {"AdvancedEventSelectors": [s for s in advanced if s.get("Name") != name] + [add]}, plain(mine) == plain([add])
    have = old.get("EventSelectors") or []
    seen = {v for s in have if s.get("ReadWriteType") != "ReadOnly" for d in s.get("DataResources", []) if d["Type"] == "AWS::S3::Object" for v in d["Values"]}
    missing = [o for o in objects if o not in seen]
    add = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": False, "DataResources": [{"Type": "AWS::S3::Object", "Values": missing}]}
    return {"EventSelectors": have + [add]}, not missing


kind, old, ours, new = sys.argv[1:]
document, same = {"policy": policy, "whole": whole, "setting": setting, "lifecycle": lifecycle, "trail": trail}[kind](load(old), load(ours))
if same:
    sys.exit(10)
with open(new, "w", encoding="utf-8") as f:
    json.dump(document, f)
END_OF_MERGE

account '111122223333'

cat > "$W/ours" << 'END_OF_DOCUMENT'
[
  {
    "Sid": "BrokerdAssumeRoleAuditLogs9f8a43",
    "Effect": "Allow",
    "Principal": {
      "AWS": "arn:aws:iam::111122223333:role/app-host"
    },
    "Action": "sts:AssumeRole"
  }
]
END_OF_DOCUMENT
role 'Up' '/apps/' '3600' ''

cat > "$W/ours" << 'END_OF_DOCUMENT'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "BrokerdWriteObjectsAuditLogs9f8a43",
      "Effect": "Allow",
      "Action": [
        "s3:PutObject",
        "s3:AbortMultipartUpload"
      ],
      "Resource": [
        "arn:aws:s3:::tenant-bucket/logs/*",
        "arn:aws:s3:::other-bucket/*",
        "arn:aws:s3:::tenant-bucket/events/*"
      ]
    },
    {
      "Sid": "BrokerdUseKeyThroughS3AuditLogs9f8a43",
      "Effect": "Allow",
      "Action": [
        "kms:GenerateDataKey",
        "kms:Decrypt"
      ],
      "Resource": "arn:aws:kms:eu-west-1:444455556666:key/1234abcd",
      "Condition": {
        "StringEquals": {
          "kms:ViaService": "s3.eu-west-1.amazonaws.com"
        }
      }
    },
    {
      "Sid": "BrokerdUseKeyThroughS3Eu2f3da02",
      "Effect": "Allow",
      "Action": [
        "kms:GenerateDataKey",
        "kms:Decrypt"
      ],
      "Resource": "arn:aws:kms:eu-west-2:444455556666:key/1234abcd",
      "Condition": {
        "StringEquals": {
          "kms:ViaService": "s3.eu-west-2.amazonaws.com"
        }
      }
    }
  ]
}
END_OF_DOCUMENT
inline 'role' 'Up' 'brokerd'

if [ "$CHANGES" -eq 0 ]; then
  echo "account 111122223333: nothing to do"
else
  echo "account 111122223333: $CHANGES ${DRY_RUN:+pending }changes"
fi
