package vend

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

func shows(d *serviceUnderTest, token string) (Caller, error) {
	r := &http.Request{Header: http.Header{"Authorization": {token}}}
	return d.Identify(r)
}

func TestAFileThatIsUnfitOpensNothing(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"empty":              {"", 0o600, "it is empty"},
		"short":              {goodToken[:31], 0o600, "could be guessed"},
		"long":               {strings.Repeat("x", tokenMax+1), 0o600, "more than 4096 bytes"},
		"ends in a newline":  {goodToken + "\n", 0o600, "ends in a newline"},
		"has a blank":        {goodToken + " x", 0o600, "byte 32 is not a visible ASCII character"},
		"has a NUL":          {goodToken + "\x00", 0o600, "byte 32"},
		"read by everybody":  {goodToken, 0o644, "every user of this machine"},
		"written by a group": {goodToken, 0o660, "its group can replace"},
	} {
		t.Run(name, func(t *testing.T) {
			file := tokenFile(t, c.text, c.mode)
			d := serviceFor(t, func(cfg *config.Config) { cfg.Vend.Tokens[0].File = file })
			if _, err := shows(d, strings.TrimRight(c.text, "\n")); err == nil {
				t.Error("it opens")
			}
			text := said(d.logs)
			if n := strings.Count(text, "a token file cannot be used"); n != 1 || !strings.Contains(text, c.says) {
				t.Errorf("said %d times: %s", n, text)
			}
			if c.text != "" && strings.Contains(text, goodToken[:20]) {
				t.Error("the log holds the token")
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		d := serviceFor(t, func(cfg *config.Config) { cfg.Vend.Tokens[0].File = dir })
		if _, err := shows(d, goodToken); err == nil || !strings.Contains(said(d.logs), "not a regular file") {
			t.Errorf("%v\n%s", err, said(d.logs))
		}
	})
}

// The unset digest of a file that cannot be read matches no token.
func TestAMissingFileIsReadWhenItComes(t *testing.T) {
	path := t.TempDir() + "/token"
	d := serviceFor(t, func(c *config.Config) { c.Vend.Tokens[0].File = path })
	if _, err := shows(d, goodToken); err == nil {
		t.Error("it opens")
	}
	writeToken(t, path, goodToken, 0o400)
	c, err := shows(d, goodToken)
	if err != nil || c.Peer.UID != userApp || c.Via != "token" || len(c.Only) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Rotation: the old token is out and the new one in with the next request, also
// when both were written within one tick of the file system's clock.
func TestARotatedTokenCountsAtOnce(t *testing.T) {
	path := tokenFile(t, goodToken, 0o600)
	d := serviceFor(t, func(c *config.Config) { c.Vend.Tokens[0].File = path })
	if _, err := shows(d, goodToken); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	next := strings.ToUpper(goodToken)
	writeToken(t, path, next, 0o600)
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := shows(d, goodToken); err == nil {
		t.Error("the old token still opens")
	}
	if _, err := shows(d, next); err != nil {
		t.Error(err)
	}
	// Long after, an unchanged file is not read again: made unreadable by its mode
	// alone it would be, so it is the mode that is seen.
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := shows(d, next); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := shows(d, next); err == nil {
		t.Error("a token that everybody can read by now still opens")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := shows(d, next); err == nil {
		t.Error("the token of a file that is gone still opens")
	}
}

func TestATokenOfTwoIsNobodys(t *testing.T) {
	second := tokenFile(t, goodToken, 0o600)
	d := serviceFor(t, func(c *config.Config) {
		c.Vend.Tokens = append(c.Vend.Tokens, config.Token{File: second, Peer: config.Peer{UID: "7002"}, Destinations: []string{"*"}})
	})
	if _, err := shows(d, goodToken); err == nil || !strings.Contains(err.Error(), "two peers") {
		t.Error(err)
	}
	if text := said(d.logs); !strings.Contains(text, second) || strings.Contains(text, goodToken) {
		t.Error(text)
	}
	writeToken(t, second, "another-token-that-is-long-enough-x", 0o600)
	if c, err := shows(d, "another-token-that-is-long-enough-x"); err != nil || c.Peer.UID != 7002 || c.Only != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// FuzzFit: an accepted token can be sent in a header as it is.
func FuzzFit(f *testing.F) {
	f.Add([]byte(goodToken))
	f.Add([]byte(goodToken + "\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if fit(text) != nil {
			return
		}
		if len(text) < tokenMin || len(text) > tokenMax ||
			strings.TrimFunc(string(text), func(r rune) bool { return r > ' ' && r <= '~' }) != "" {
			t.Errorf("%q is taken", text)
		}
	})
}
