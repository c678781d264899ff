
# BUCKET_SETTINGS is what to set on buckets that exist. "encryption" and
# "access_logs" replace the existing value as a whole; lifecycle rules are merged.
BUCKET_SETTINGS=${BUCKET_SETTINGS-ownership public_access lifecycle}

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
    --assume-role-policy-document "file://$W/new" --tags "Key=$MADE_TAG,Value=$MADE_VALUE" ${4:+--permissions-boundary "$4"}
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

# trail ARN REGION; the name and the objects of our selector are in $W/ours.
trail() {
  aws cloudtrail get-event-selectors --trail-name "$1" --region "$2" > "$W/old"
  if differs trail; then
    selectors "$1" "$2" "trail $1: selectors"
  fi
}
