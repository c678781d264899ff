package hosts

import (
	"os"
	"testing"
)

// An attack, or a lack of memory, that ends the daemon again and again must not make
// systemd give up: its default is five starts in ten seconds.
func TestTheUnitsNeverGiveUp(t *testing.T) {
	for file, want := range map[string][]string{
		"brokerd.service": {
			"\nRestart=always\n", "\nStartLimitIntervalSec=0\n", "\nRestartPreventExitStatus=64 78\n", "\nOOMPolicy=stop\n",
			"\nCapabilityBoundingSet=\n",
		},
		"brokerd.socket": {"\nTriggerLimitIntervalSec=0\n"},
	} {
		text, err := os.ReadFile("../../deploy/systemd/" + file)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(text), want...)
	}
}
