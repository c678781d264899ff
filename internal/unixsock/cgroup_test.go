package unixsock

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnitAndPodInCgroups(t *testing.T) {
	const pod = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	under := strings.ReplaceAll(pod, "-", "_")
	for text, want := range map[string][2]string{
		"0::/system.slice/app.service\n":                                           {"app.service", ""},
		"0::/system.slice/system-app.slice/app@7.service\n":                        {"app@7.service", ""},
		"0::/system.slice/app.service/workers/1\n":                                 {"app.service", ""},
		"12:cpu:/x\n1:name=systemd:/system.slice/app.service\n0::/\n":              {"app.service", ""},
		"0::/system.slice/new.service\n1:name=systemd:/system.slice/app.service\n": {"app.service", ""},
		// the user made the rest
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service\n": {
			"user@1000.service", "",
		},
		"0::/user.slice/user-1000.slice/session-3.scope\n":                                                               {"session-3.scope", ""},
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-1.scope\n": {"", pod},
		"0::/kubepods/besteffort/pod" + pod + "/0123\n":                                                                  {"", pod},
		"0::/system.slice/evil.service/kubepods/pod" + pod + "/0123\n":                                                   {"evil.service", ""},
		"0::/mine/kubepods/pod" + pod + "\n":                                                                             {"", ""},
		"0::/mine/app.service\n":                                                                                         {"", ""},
		"0::/\n":                                                                                                         {"", ""},
		// seen from another cgroup namespace
		"0::/../../pod" + pod + "/x\n": {"", ""},
		"":                             {"", ""},
		"nonsense":                     {"", ""},
	} {
		if unit, pod := parseCgroup(text); [2]string{unit, pod} != want {
			t.Errorf("%q: %q, %q", text, unit, pod)
		}
	}
}

// FuzzCgroup: for every input, a unit is one component of a path and a pod
// is a UID.
func FuzzCgroup(f *testing.F) {
	f.Add("0::/system.slice/app.service\n")
	f.Add("1:name=systemd:/a:b/c.scope\n0::/kubepods/pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/x")
	f.Fuzz(func(t *testing.T, text string) {
		unit, pod := parseCgroup(text)
		if unit != "" &&
			(pod != "" || strings.ContainsAny(unit, "/\n") || !strings.HasSuffix(unit, ".service") && !strings.HasSuffix(unit, ".scope")) ||
			pod != "" && len(pod) != 36 {
			t.Errorf("%q, %q", unit, pod)
		}
	})
}

// On a real socket Peer reports the unit and pod of this process, as its cgroup file does.
func TestThePeerHasItsUnitAndPod(t *testing.T) {
	dir, err := os.MkdirTemp("", "place")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	got, err := Peer(conn)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		text = nil // not Linux
	}
	unit, pod := parseCgroup(string(text))
	if int(got.UID) != os.Getuid() || int(got.PID) != os.Getpid() || got.Unit != "" && got.Unit != unit || got.Pod != "" && got.Pod != pod {
		t.Errorf("%+v, want unit %q and pod %q", got, unit, pod)
	}
}
