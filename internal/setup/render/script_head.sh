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
