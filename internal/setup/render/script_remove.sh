
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
