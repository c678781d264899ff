package daemon

import (
	"errors"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

// recordedPart writes down the calls that a reload makes.
type recordedPart struct {
	name  string
	calls *[]string
	fails error
}

func (p recordedPart) Prepare(*config.Config) (config.Change, error) {
	*p.calls = append(*p.calls, "prepare "+p.name)
	return p, p.fails
}
func (p recordedPart) Commit()  { *p.calls = append(*p.calls, "commit "+p.name) }
func (p recordedPart) Discard() { *p.calls = append(*p.calls, "discard "+p.name) }

func TestAReloadPreparesEveryPartBeforeItCommitsOne(t *testing.T) {
	var calls []string
	a, b := recordedPart{name: "a", calls: &calls}, recordedPart{name: "b", calls: &calls}
	if err := reloadAll(&config.Config{}, a, b); err != nil {
		t.Fatal(err)
	}
	if want := []string{"prepare a", "prepare b", "commit a", "commit b"}; !slices.Equal(calls, want) {
		t.Errorf("got calls %v, want %v", calls, want)
	}
}

func TestAPartThatFailsToPrepareChangesNoOther(t *testing.T) {
	var calls []string
	refused := errors.New("refused")
	a, b := recordedPart{name: "a", calls: &calls}, recordedPart{name: "b", calls: &calls}
	bad, last := recordedPart{name: "bad", calls: &calls, fails: refused}, recordedPart{name: "last", calls: &calls}
	if err := reloadAll(&config.Config{}, a, b, bad, last); !errors.Is(err, refused) {
		t.Errorf("got error %v, want %v", err, refused)
	}
	if want := []string{"prepare a", "prepare b", "prepare bad", "discard b", "discard a"}; !slices.Equal(calls, want) {
		t.Errorf("got calls %v, want %v", calls, want)
	}
}

func TestASpoolNeedsARestartWhenNoneWasOpened(t *testing.T) {
	spools := &config.Config{Destinations: map[string]*config.Destination{"logs": {Name: "logs", Durability: config.DurabilitySpool}}}
	if _, err := (spoolPart{}).Prepare(spools); !errors.Is(err, config.ErrNeedsRestart) {
		t.Errorf("got error %v, want ErrNeedsRestart", err)
	}
	if _, err := (spoolPart{}).Prepare(&config.Config{}); err != nil {
		t.Errorf("got error %v for a configuration without a spool", err)
	}
}
