package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBudgetFollowsTheCgroup(t *testing.T) {
	const MiB = 1 << 20
	for _, row := range []struct{ configured, limit, want int64 }{
		{0, 0, 48 * MiB}, {0, 256 * MiB, 48 * MiB}, {0, 128 * MiB, 32 * MiB}, {0, 20 * MiB, 16 * MiB}, {0, 1 << 40, 48 * MiB},
		{200 * MiB, 64 * MiB, 200 * MiB},
	} {
		if got := shareMemory(row.configured, row.limit); got.budget != row.want || got.heap < leastHeap {
			t.Errorf("memory.max %d in a cgroup of %d: %+v, want a budget of %d", row.configured, row.limit, got, row.want)
		}
	}
}

func TestLimitOfTheCgroup(t *testing.T) {
	for name, tc := range map[string]struct {
		self  string
		files map[string]string
		want  int64
	}{
		"its own": {"0::/system.slice/brokerd.service\n",
			map[string]string{"system.slice/brokerd.service/memory.max": "268435456\n"}, 256 << 20},
		"of one above":   {"0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "1048576\n"}, 1 << 20},
		"the least":      {"0::/a/b\n", map[string]string{"a/b/memory.max": "2097152\n", "a/memory.max": "1048576\n"}, 1 << 20},
		"in a container": {"0::/../../kubepods/pod1/x\n", map[string]string{"memory.max": "134217728\n"}, 128 << 20},
		"version 1": {"5:cpu:/x\n4:memory:/docker/1\n",
			map[string]string{"memory/docker/1/memory.limit_in_bytes": "33554432\n"}, 32 << 20},
		"version 1 without one":      {"4:memory:/\n", map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"none":                       {"0::/a\n", map[string]string{"a/memory.max": "max\n"}, 0},
		"no cgroups":                 {"", nil, 0},
		"a file that makes no sense": {"0::/a\n", map[string]string{"a/memory.max": "much\n"}, 0},
		"a line that makes no sense": {"x\n0::/a\n", map[string]string{"a/memory.max": "4096\n"}, 4096},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for f, text := range tc.files {
				if err := os.MkdirAll(filepath.Join(root, filepath.Dir(f)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, f), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			self := filepath.Join(root, "self")
			if err := os.WriteFile(self, []byte(tc.self), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := cgroupLimit(root, self); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}
