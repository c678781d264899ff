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
