package awsaccounts_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// Three destinations in one bucket come and go in any order while another
// administrator edits the same policies. Destinations that are set up work, the
// others do not, and foreign statements are never touched.
func TestDestinationsComeAndGoAmongOtherPeoplesEdits(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			walk(t, rand.New(rand.NewPCG(seed, 7)))
		})
	}
}

func walk(t *testing.T, r *rand.Rand) {
	w := newWorld(t)
	w.inhabited(t)
	list := strings.ReplaceAll(theirBucketPolicy, "ACCOUNT_B", w.Sandbox.AccountB())
	list = strings.TrimSuffix(strings.Replace(list, `"Statement":{`, `"Statement":[{`, 1), "}") + "]}"
	if err := w.PutBucketPolicy(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	more := second2(w) + strings.NewReplacer("metrics", "billing", "CrossAccountS3Uploader", "Another").Replace(second2(w))
	plain := w.config(t, second(more)...)
	tagged := w.config(t, "    path_style: true\naccess:", "    path_style: true\n    tags: {kept: 7y}\n"+more+"access:")
	cfg, a := plain, w.connect(t)
	names := []string{"audit-logs", "billing", "metrics"}
	up := map[string]bool{}
	foreign := 0
	for step := range 14 {
		some := []string{}
		for _, n := range names {
			if r.IntN(2) == 0 {
				some = append(some, n)
			}
		}
		what := ""
		switch k := r.IntN(6); {
		case k < 3 && len(some) > 0:
			what = fmt.Sprintf("apply %v", some)
			w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Destinations: some}))
			if p := w.plan(t, a, cfg, setup.PlanOptions{Destinations: some}); p.Pending() || p.Proven() != setup.Holds {
				t.Fatalf("step %d, %s: the next plan has something to do: %+v", step, what, p.Changes)
			}
			for _, n := range some {
				up[n] = true
			}
		case k == 3 && len(some) > 0:
			what = fmt.Sprintf("remove %v", some)
			w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Destinations: some, Remove: true}))
			for _, n := range some {
				up[n] = false
			}
		case k == 4:
			what = "somebody adds a statement"
			foreign++
			text := w.documents(t, cfg)["policy of "+testbed.Bucket]
			edited, err := testbed.AddStatement(
				text,
				fmt.Sprintf(`{"Sid":"Theirs%d","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"s3:GetObject",`+
					`"Resource":"arn:aws:s3:::%s/%d/*"}`, foreign, w.Sandbox.AccountB(), testbed.Bucket, foreign),
			)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.PutBucketPolicy(t.Context(), edited); err != nil {
				t.Fatal(err)
			}
		default:
			if cfg == plain {
				what, cfg = "the configuration gets tags", tagged
			} else {
				what, cfg = "the configuration loses its tags", plain
			}
			up["audit-logs"] = false // until it is applied again, either may be
		}
		docs := w.documents(t, cfg)
		for i := range foreign {
			if sid := fmt.Sprintf(`"Theirs%d"`, i+1); !strings.Contains(docs["policy of "+testbed.Bucket], sid) {
				t.Fatalf("step %d, %s: statement %s is gone", step, what, sid)
			}
		}
		for name, seen := range w.verify(t, cfg) {
			if up[name] && seen.Result() != report.Pass {
				t.Fatalf("step %d, %s: %s is set up and does not work: %+v", step, what, name, seen.Checks)
			}
		}
		unique(t, docs)
	}
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Remove: true}))
	for what, text := range w.documents(t, cfg) {
		if strings.Contains(text, "Brokerd") || strings.Contains(what, "brokerd-abort") {
			t.Errorf("%s still holds something of ours: %s", what, text)
		}
	}
	for name, seen := range w.verify(t, cfg) {
		if seen.Result() == report.Pass {
			t.Errorf("%s still works", name)
		}
	}
}

// unique fails when a document has the same Sid twice: IAM refuses that.
func unique(t *testing.T, docs map[string]string) {
	t.Helper()
	for what, text := range docs {
		var doc struct{ Statement json.RawMessage }
		var list []struct{ Sid string }
		if json.Unmarshal([]byte(text), &doc) != nil || json.Unmarshal(doc.Statement, &list) != nil {
			continue
		}
		var seen []string
		for _, s := range list {
			if s.Sid != "" && slices.Contains(seen, s.Sid) {
				t.Errorf("%s has %s twice", what, s.Sid)
			}
			seen = append(seen, s.Sid)
		}
	}
}
