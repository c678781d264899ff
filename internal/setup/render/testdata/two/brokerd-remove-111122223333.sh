#!/bin/sh
# Account 111122223333: takes out the statements of these destinations of brokerd, and
# nothing else: audit-logs.
#
# Needs the AWS CLI (1 or 2) and jq, and credentials of that account in the
# environment. Safe to run twice: it reads first, and changes only what differs.
set -eu
export AWS_PAGER="" AWS_DEFAULT_OUTPUT=json

# DRY_RUN=1 prints the changes and makes none.
DRY_RUN=${DRY_RUN-}

W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
CHANGES=0

die() {
  printf '%s: %s\n' "$0" "$1" >&2
  exit 1
}

for tool in aws jq; do
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

# differs KIND: reports whether $W/ours has to be merged into $W/old; $W/new is the result.
differs() {
  case $(tr -d '[:space:]' < "$W/old") in
    '' | None) echo null > "$W/old" ;;
  esac
  jq -n --arg kind "$1" --slurpfile old "$W/old" --slurpfile ours "$W/ours" -f "$W/merge.jq" > "$W/merged" || die "merging failed"
  jq .document "$W/merged" > "$W/new"
  [ "$(jq .same "$W/merged")" = false ]
}

# selectors ARN REGION TEXT: writes the selectors of $W/new, which are of one kind.
selectors() {
  if jq -e 'has("AdvancedEventSelectors")' "$W/new" > /dev/null; then
    jq .AdvancedEventSelectors "$W/new" > "$W/selectors"
    change "$3" aws cloudtrail put-event-selectors --trail-name "$1" --region "$2" --advanced-event-selectors "file://$W/selectors"
  else
    jq .EventSelectors "$W/new" > "$W/selectors"
    change "$3" aws cloudtrail put-event-selectors --trail-name "$1" --region "$2" --event-selectors "file://$W/selectors"
  fi
}

MADE_TAG='brokerd:made-by' MADE_VALUE='brokerctl setup'

LEFT=0

# left TEXT: tells of a part that stays.
left() {
  LEFT=$((LEFT + 1))
  printf '%s\n' "$1"
}

# empty FILE: reports whether the document has no statement.
empty() {
  jq -e '.Statement == []' "$1" > /dev/null
}

# inline_without role|user NAME POLICY_NAME; the Sids to take out are in $W/ours.
inline_without() {
  read_into "$W/old" NoSuchEntity aws iam "get-$1-policy" "--$1-name" "$2" --policy-name "$3" --query PolicyDocument || return 0
  differs without || return 0
  if empty "$W/new"; then
    change "$1 $2: delete policy $3" aws iam "delete-$1-policy" "--$1-name" "$2" --policy-name "$3"
  else
    change "$1 $2: policy $3" aws iam "put-$1-policy" "--$1-name" "$2" --policy-name "$3" --policy-document "file://$W/new"
  fi
}

# role_without NAME POLICY_NAME; the Sids to take out of its trust policy are in $W/ours.
# A role whose trust policy would be empty is deleted, if setup made it and it has no
# other policy than POLICY_NAME.
role_without() {
  read_into "$W/role" NoSuchEntity aws iam get-role --role-name "$1" || return 0
  jq .Role.AssumeRolePolicyDocument "$W/role" > "$W/old"
  differs without || return 0
  if ! empty "$W/new"; then
    change "role $1: trust policy" aws iam update-assume-role-policy --role-name "$1" --policy-document "file://$W/new"
    return
  fi
  if ! jq -e --arg key "$MADE_TAG" --arg value "$MADE_VALUE" 'any(.Role.Tags[]?; .Key == $key and .Value == $value)' "$W/role" > /dev/null; then
    left "role $1: it stays, because setup did not make it; delete it by hand if it has no other use"
    return
  fi
  aws iam list-role-policies --role-name "$1" > "$W/inline"
  aws iam list-attached-role-policies --role-name "$1" > "$W/attached"
  if jq -e -n --arg own "$2" --slurpfile inline "$W/inline" --slurpfile attached "$W/attached" \
    '($inline[0].PolicyNames - [$own]) + $attached[0].AttachedPolicies != []' > /dev/null; then
    left "role $1: it stays, because it has other policies; detach them and run this script again"
    return
  fi
  change "role $1: delete" aws iam delete-role --role-name "$1"
}

# key_policy_without KEY_ARN REGION; the Sids to take out are in $W/ours.
key_policy_without() {
  aws kms get-key-policy --key-id "$1" --region "$2" --policy-name default --query Policy --output text > "$W/old"
  if differs without; then
    change "key $1: policy" aws kms put-key-policy --key-id "$1" --region "$2" --policy-name default --policy "file://$W/new"
  fi
}

# bucket_policy_without NAME REGION; the Sids to take out are in $W/ours.
bucket_policy_without() {
  read_into "$W/old" 'NoSuchBucket' aws s3api get-bucket-policy --bucket "$1" --region "$2" --query Policy --output text || return 0
  differs without || return 0
  if empty "$W/new"; then
    change "bucket $1: delete policy" aws s3api delete-bucket-policy --bucket "$1" --region "$2"
  else
    change "bucket $1: policy" aws s3api put-bucket-policy --bucket "$1" --region "$2" --policy "file://$W/new"
  fi
}

# lifecycle_without BUCKET REGION PREFIX; the ids of the rules are in $W/ours. The rules
# stay while an upload below PREFIX is unfinished: they are what aborts it.
lifecycle_without() {
  read_into "$W/old" 'NoSuchLifecycleConfiguration\|NoSuchBucket' \
    aws s3api get-bucket-lifecycle-configuration --bucket "$1" --region "$2" --query '{Rules: Rules}' || return 0
  differs unlifecycle || return 0
  aws s3api list-multipart-uploads --bucket "$1" --region "$2" --prefix "$3" > "$W/uploads"
  if jq -e '.Uploads // [] | length > 0' "$W/uploads" > /dev/null; then
    left "bucket $1: the lifecycle rule stays until these unfinished uploads are gone; then run this script again"
    jq -r '.Uploads[] | "  s3://'"$1"'/\(.Key) \(.UploadId)"' "$W/uploads"
    return
  fi
  if jq -e '.Rules == []' "$W/new" > /dev/null; then
    change "bucket $1: delete lifecycle rules" aws s3api delete-bucket-lifecycle --bucket "$1" --region "$2"
  else
    change "bucket $1: lifecycle rules" aws s3api put-bucket-lifecycle-configuration --bucket "$1" --region "$2" \
      --lifecycle-configuration "file://$W/new"
  fi
}

# trail_without ARN REGION; the name and the objects of our selector are in $W/ours.
trail_without() {
  read_into "$W/old" TrailNotFound aws cloudtrail get-event-selectors --trail-name "$1" --region "$2" || return 0
  if differs untrail; then
    selectors "$1" "$2" "trail $1: selectors"
  fi
}

cat > "$W/merge.jq" << 'END_OF_MERGE'
# Merging for the script around it. $old and $ours are lists with one value; $old[0] is
# null where the account has no such document. The result: same, and the new document.

def many: if type == "array" then . else [.] end;

# Two spellings of one value: a string, and a list with it alone; lists in any order.
def plain:
  if type == "object" then map_values(plain)
  elif type == "array" then (if length == 1 then .[0] | plain else map(plain) | sort end)
  else . end;

def among($list): . as $value | any($list[]; . == $value);

def statements: if . == null then [] else .Statement | many end;

# Statements of others first, as they are, and then ours.
def policy($old; $ours):
  [$ours[].Sid] as $sids
  | ($old | statements) as $have
  | [$have[] | select(.Sid | among($sids))] as $mine
  | {same: (($mine | length) == ($ours | length) and ($mine | plain) == ($ours | plain)),
     document: (($old // {Version: "2012-10-17"}) + {Statement: ([$have[] | select(.Sid | among($sids) | not)] + $ours)})};

# The document without the statements of these Sids. The statements to keep go in for the
# parts of them that others still need.
def without($old; $ours):
  ($old | statements) as $have
  | ([$have[] | select(.Sid | among($ours.sids + [$ours.keep[].Sid]) | not)] + $ours.keep) as $after
  | {same: ((any($have[]; .Sid | among($ours.sids)) | not) or ($have | plain) == ($after | plain)),
     document: (($old // {}) + {Statement: $after})};

def whole($old; $ours): {same: ($old != null and ($old | plain) == ($ours | plain)), document: $ours};

# Whether old holds all that ours does; AWS may add values of its own.
def within($ours; $old):
  if ($ours | type) == "object" then
    ($old | type) == "object" and all($ours | keys[]; . as $k | ($old | has($k)) and within($ours[$k]; $old[$k]))
  elif ($ours | type) == "array" then
    ($old | type) == "array" and ($ours | length) == ($old | length)
      and all(range(0; $ours | length); . as $i | within($ours[$i]; $old[$i]))
  else $ours == $old end;

def setting($old; $ours): {same: within($ours; $old), document: $ours};

def lifecycle($old; $ours):
  [$ours.Rules[].ID] as $ids
  | (($old // {}).Rules // []) as $have
  | {same: (([$have[] | select(.ID | among($ids))] | plain) == ($ours.Rules | plain)),
     document: {Rules: ([$have[] | select(.ID | among($ids) | not)] + $ours.Rules)}};

# The rules without those of these ids.
def unlifecycle($old; $ids):
  (($old // {}).Rules // []) as $have
  | [$have[] | select(.ID | among($ids) | not)] as $left
  | {same: (($have | length) == ($left | length)), document: {Rules: $left}};

def advanced($name; $objects): {Name: $name, FieldSelectors: [
  {Field: "eventCategory", Equals: ["Data"]}, {Field: "resources.type", Equals: ["AWS::S3::Object"]},
  {Field: "readOnly", Equals: ["false"]}, {Field: "resources.ARN", StartsWith: $objects}]};

def basic($objects):
  {ReadWriteType: "WriteOnly", IncludeManagementEvents: false, DataResources: [{Type: "AWS::S3::Object", Values: $objects}]};

def ours_basic:
  .ReadWriteType == "WriteOnly" and .IncludeManagementEvents == false
    and (.DataResources | length) == 1 and .DataResources[0].Type == "AWS::S3::Object";

# A trail has selectors of one kind: basic or advanced.
def trail($old; $ours):
  ($old.AdvancedEventSelectors // []) as $advanced
  | if ($advanced | length) > 0 then
      advanced($ours.Name; $ours.Objects) as $add
      | [$advanced[] | select(.Name == $ours.Name)] as $mine
      | {same: (($mine | plain) == ([$add] | plain)),
         document: {AdvancedEventSelectors: ([$advanced[] | select(.Name != $ours.Name)] + [$add])}}
    else
      ($old.EventSelectors // []) as $have
      | [$have[] | select(.ReadWriteType != "ReadOnly") | .DataResources[]? | select(.Type == "AWS::S3::Object") | .Values[]] as $seen
      | [$ours.Objects[] | select(among($seen) | not)] as $missing
      | {same: (($missing | length) == 0), document: {EventSelectors: ($have + [basic($missing)])}}
    end;

# The selectors without these objects, in the selectors that have the form of ours.
def untrail($old; $ours):
  def less: [.[] | select(among($ours.Objects) | not)];
  ($old.AdvancedEventSelectors // []) as $advanced
  | if ($advanced | length) > 0 then
      [$advanced[] | if .Name != $ours.Name then . else
         ([.FieldSelectors[] | select(.Field == "resources.ARN") | .StartsWith[]?] | less) as $left
         | if ($left | length) == 0 then empty else advanced($ours.Name; $left) end end] as $after
      | {same: (($advanced | plain) == ($after | plain)), document: {AdvancedEventSelectors: $after}}
    else
      ($old.EventSelectors // []) as $have
      | [$have[] | if ours_basic | not then . else
           (.DataResources[0].Values | less) as $left
           | if ($left | length) == 0 then empty else .DataResources[0].Values = $left end end] as $after
      | {same: ($have == $after), document: {EventSelectors: $after}}
    end;

if $kind == "policy" then policy($old[0]; $ours[0])
elif $kind == "without" then without($old[0]; $ours[0])
elif $kind == "whole" then whole($old[0]; $ours[0])
elif $kind == "setting" then setting($old[0]; $ours[0])
elif $kind == "lifecycle" then lifecycle($old[0]; $ours[0])
elif $kind == "unlifecycle" then unlifecycle($old[0]; $ours[0])
elif $kind == "trail" then trail($old[0]; $ours[0])
elif $kind == "untrail" then untrail($old[0]; $ours[0])
else error("no such merge: " + $kind) end
END_OF_MERGE

account '111122223333'

cat > "$W/ours" << 'END_OF_DOCUMENT'
{
  "sids": [
    "BrokerdWriteObjectsAuditLogs9f8a43",
    "BrokerdUseKeyThroughS3AuditLogs9f8a43"
  ],
  "keep": [
    {
      "Sid": "BrokerdWriteObjectsEu2f3da02",
      "Effect": "Allow",
      "Action": [
        "s3:PutObject",
        "s3:AbortMultipartUpload"
      ],
      "Resource": [
        "arn:aws:s3:::other-bucket/*",
        "arn:aws:s3:::tenant-bucket/events/*"
      ]
    },
    {
      "Sid": "BrokerdUseKeyThroughS3SameBucket8e1841",
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
    }
  ]
}
END_OF_DOCUMENT
inline_without 'role' 'Up' 'brokerd'

cat > "$W/ours" << 'END_OF_DOCUMENT'
{
  "sids": [
    "BrokerdAssumeRoleAuditLogs9f8a43"
  ],
  "keep": [
    {
      "Sid": "BrokerdAssumeRoleEu2f3da02",
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::111122223333:role/app-host"
      },
      "Action": "sts:AssumeRole"
    }
  ]
}
END_OF_DOCUMENT
role_without 'Up' 'brokerd'

if [ "$CHANGES" -eq 0 ] && [ "$LEFT" -eq 0 ]; then
  echo "account 111122223333: nothing to remove"
else
  echo "account 111122223333: $CHANGES ${DRY_RUN:+pending }changes, $LEFT left"
fi
