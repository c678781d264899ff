//go:build interop

package interop

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/test/misconfig"
)

// browser is a headless Chromium of whose requests the test knows.
type browser struct {
	program string
	proxy   *httptest.Server

	mu    sync.Mutex
	asked []string
}

// ownTraffic is where the browser calls home by itself, whatever page it shows. No
// page of ours holds such a name, which the test sees to.
var ownTraffic = regexp.MustCompile(`(^|\.)(google|googleapis|gstatic|gvt1)\.com(:\d+)?$`)

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			b.program = path
			break
		}
	}
	if b.program == "" {
		t.Skip("no chromium is installed")
	}
	b.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := r.URL.Hostname(); !ownTraffic.MatchString(host) && !ownTraffic.MatchString(r.Host) {
			b.mu.Lock()
			b.asked = append(b.asked, r.Method+" "+r.RequestURI)
			b.mu.Unlock()
		}
		http.Error(w, "nothing is let through", http.StatusForbidden)
	}))
	t.Cleanup(b.proxy.Close)
	return b
}

// requests are those that were made since the last call.
func (b *browser) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.asked
	b.asked = nil
	return out
}

// run opens a file, with a profile of its own, and returns the browser's output.
func (b *browser) run(t *testing.T, file string, args ...string) []byte {
	t.Helper()
	profile, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	// A process of the browser may outlive it by a moment, and write.
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.program, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-default-apps", "--hide-scrollbars", "--force-device-scale-factor=1",
		"--user-data-dir=" + profile, "--proxy-server=" + b.proxy.URL, "--proxy-bypass-list=<-loopback>",
	}, append(args, "file://"+file)...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", b.program, err, complaints.String())
	}
	return out.Bytes()
}

func (b *browser) picture(t *testing.T, file string, width, height int) image.Image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.png")
	b.run(t, file, "--screenshot="+path, fmt.Sprintf("--window-size=%d,%d", width, height))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("REPORT_PICTURES"); dir != "" { // for a person to look at
		name := strings.ReplaceAll(t.Name(), "/", "-") + fmt.Sprintf("-%d.png", width)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// The colours of the style sheet, in light.
var (
	paper = color.RGBA{0xf6, 0xf7, 0xf9, 0xff}
	red   = color.RGBA{0xb3, 0x26, 0x1e, 0xff}
	green = color.RGBA{0x0b, 0x6b, 0x4f, 0xff}
)

func same(a, b color.Color) bool {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	return r1>>8 == r2>>8 && g1>>8 == g2>>8 && b1>>8 == b2>>8
}

// largest is the largest square of one colour, in pixels of its side: text is thin,
// the disc on a broken step is not.
func largest(img image.Image, want color.Color) int {
	r := img.Bounds()
	above := make([]int, r.Dx()+1)
	best := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		diagonal := 0
		for x := 1; x <= r.Dx(); x++ {
			before := above[x]
			if same(img.At(r.Min.X+x-1, y), want) {
				above[x] = 1 + min(above[x], above[x-1], diagonal)
				best = max(best, above[x])
			} else {
				above[x] = 0
			}
			diagonal = before
		}
	}
	return best
}

func count(img image.Image, want color.Color) (n int) {
	r := img.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if same(img.At(x, y), want) {
				n++
			}
		}
	}
	return n
}

// overflows says that something is drawn beyond the page's right margin.
func overflows(img image.Image) (at image.Point, yes bool) {
	r := img.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Max.X - 8; x < r.Max.X; x++ {
			if !same(img.At(x, y), paper) {
				return image.Pt(x, y), true
			}
		}
	}
	return image.Point{}, false
}

// settled takes the picture again, up to twice, while something reaches its right
// edge: on a busy machine the browser may take it before the window has its size.
// A page that is too wide is so in each picture.
func (b *browser) settled(t *testing.T, file string, width, height int) image.Image {
	t.Helper()
	img := b.picture(t, file, width, height)
	for range 2 {
		at, yes := overflows(img)
		if !yes {
			break
		}
		t.Logf("at %d the pixel at %v is %v: the picture is taken again", width, at, img.At(at.X, at.Y))
		img = b.picture(t, file, width, height)
	}
	return img
}

// report verifies the stage as an operator does and returns the page.
func report(t *testing.T, st *testbedtest.Bed) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	var complaints bytes.Buffer
	code := cli.Main(t.Context(), []string{"verify", "--standalone", "--config", st.ConfigPath, "-o", "html", "--output-file", path},
		cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: &complaints})
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, complaints.String())
	}
	return path
}

// The report in a real browser: it renders, it asks for nothing, the broken step
// is red and said in words, and it fits a desktop and a telephone.
func TestTheReportInARealBrowser(t *testing.T) {
	b := newBrowser(t)

	// The proxy sees the page's requests: without this, no request would prove nothing.
	asking := filepath.Join(t.TempDir(), "asking.html")
	if err := os.WriteFile(asking, []byte(`<!DOCTYPE html><img src="http://example.org/seen.png">`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(t, asking, "--dump-dom")
	if got := b.requests(); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "example.org/seen.png") }) {
		t.Fatalf("the browser's requests are not seen: %v", got)
	}

	st := testbedtest.New(t)
	whole := report(t, st)
	all := misconfig.All()
	i := slices.IndexFunc(all, func(m misconfig.Mistake) bool { return m.Number == 45 && m.Delivery })
	if err := all[i].Make(t.Context(), st.World); err != nil {
		t.Fatal(err)
	}
	broken := report(t, st)

	dom := string(b.run(t, broken, "--dump-dom"))
	if strings.Contains(dom, "google") || strings.Contains(dom, "gstatic") || strings.Contains(dom, "gvt1") {
		t.Error("the page holds the name of a host whose requests are not looked at")
	}
	step := regexp.MustCompile(`(?s)<div class="step fail">.*?</div>`).FindAllString(dom, -1)
	if len(step) != 1 || !strings.Contains(step[0], "fails") || !strings.Contains(step[0], "BRK-KMS-010") {
		t.Errorf("the broken steps are %q", step)
	}
	if n := strings.Count(dom, `<div class="step pass">`); n < 3 {
		t.Errorf("%d steps are green, want at least 3", n)
	}
	for _, want := range []string{"444455556666 (B)", "key policy", "kms:GenerateDataKey", "Messages for other administrators", "All checks"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(string(b.run(t, whole, "--dump-dom")), `<div class="step fail">`) {
		t.Error("a step is red where nothing is wrong")
	}

	for name, file := range map[string]string{"broken": broken, "whole": whole} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []struct{ width, height int }{{1280, 900}, {1000, 1600}, {500, 2400}} {
				img := b.settled(t, file, size.width, size.height)
				if got := img.Bounds().Dx(); got != size.width {
					t.Fatalf("the picture is %d wide, want %d", got, size.width)
				}
				if at, yes := overflows(img); yes {
					t.Errorf("at %d the page is wider than the window: the pixel at %v is %v", size.width, at, img.At(at.X, at.Y))
				}
				if n := count(img, green); n < 200 {
					t.Errorf("at %d there are %d green pixels", size.width, n)
				}
				// The disc is 30 wide: the largest square in it is about 20, less the mark in it.
				switch side := largest(img, red); {
				case name == "broken" && side < 6:
					t.Errorf("at %d the largest red square is %d wide: no step is red", size.width, side)
				case name == "whole" && side > 0:
					t.Errorf("at %d something is red where nothing is wrong", size.width)
				}
			}
		})
	}
	if got := b.requests(); len(got) > 0 {
		t.Errorf("the page asked for %v", got)
	}
}
