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
