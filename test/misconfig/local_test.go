package misconfig

import "testing"

func TestRowsThatAreLocalOrSpoilExist(t *testing.T) {
	names := map[string]bool{}
	for _, m := range All() {
		names[m.Name] = true
	}
	for name := range onlySandboxes() {
		if !names[name] {
			t.Errorf("no row is called %q: onlySandboxes names it", name)
		}
	}
	for name := range spoilers() {
		if !names[name] {
			t.Errorf("no row is called %q: spoilers names it", name)
		}
	}
}
