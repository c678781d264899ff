#!/bin/sh
# Moves the fragments of changes/ into the section Unreleased of CHANGELOG.md.
# With -check it looks at their form and changes nothing.
set -eu
cd "$(dirname "$0")/.."
log=CHANGELOG.md

bad=0
for f in changes/*.md; do
  [ "$f" = changes/README.md ] && continue
  case "$(head -n 1 "$f")" in
  added | changed | fixed | removed | security) ;;
  *) echo "$f: the first line must be added, changed, fixed, removed or security" >&2; bad=1 ;;
  esac
done
[ "$bad" -eq 0 ] || exit 1
[ "${1:-}" != -check ] || exit 0

for kind in added changed fixed removed security; do
  title=$(printf '%s' "$kind" | cut -c1 | tr '[:lower:]' '[:upper:]')$(printf '%s' "$kind" | cut -c2-)
  entries=$(mktemp)
  for f in changes/*.md; do
    [ "$f" = changes/README.md ] && continue
    [ "$(head -n 1 "$f")" = "$kind" ] || continue
    # One list item: the first line of the text takes the dash, the others its indent.
    tail -n +2 "$f" | awk 'NF {print (n++ ? "  " : "- ") $0}' >>"$entries"
    rm "$f"
  done
  if [ -s "$entries" ]; then
    awk -v heading="### $title" -v entries="$entries" '
      function add(  line) { while ((getline line < entries) > 0) print line; done = 1 }
      # Missing heading: the section ends, or another version begins, before it was seen.
      /^## / && inside && !done { print heading; add(); print "" }
      /^## / { inside = ($2 == "Unreleased") }
      { print }
      inside && $0 == heading && !done { add() }
      END { if (!done) { print ""; print heading; add() } }
    ' "$log" >"$log.new"
    mv "$log.new" "$log"
  fi
  rm -f "$entries"
done
