package vend

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
)

const (
	tokenMin = 32
	tokenMax = 4096
	// settled is the age from which an unchanged modification time proves an unchanged
	// file. File systems count in ticks, and one tick can hold two writes.
	settled = 2 * time.Second
)

// token is one token file and the peer that it stands for.
type token struct {
	file string
	peer access.Peer
	only []string

	mu      sync.Mutex    // guards the fields below
	reading chan struct{} // closed when the read that runs has ended; nil: none runs
	seen    fs.FileInfo   // of the file whose digest is known; nil: read it again
	digest  [sha256.Size]byte
	good    bool
	problem string // the last one that was logged
}

// keyring holds all tokens. It is safe for concurrent use.
type keyring struct {
	tokens []*token
	log    *zap.Logger
	lines  *quota.Lines
}

// identify returns the peer of the token in the Authorization header. SDKs send the
// bare token.
func (k *keyring) identify(r *http.Request) (Caller, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || values[0] == "" {
		return Caller{}, &Refusal{
			Reason:  reason.TokenRefused,
			Message: "the request has no token; set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the file that vend.tokens names for this user",
		}
	}
	shown := sha256.Sum256([]byte(values[0]))
	var found []*token
	// Every token is compared, so that the duration reveals nothing.
	for _, t := range k.tokens {
		digest, good := t.current(k.log)
		if subtle.ConstantTimeCompare(shown[:], digest[:]) == 1 && good {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return Caller{Peer: found[0].peer, Only: found[0].only, Via: "token"}, nil
	case 0:
		k.lines.Warn(
			quota.Unidentified(),
			string(reason.TokenRefused),
			"credentials refused",
			zap.String("reason", "TOKEN_REFUSED"),
			zap.String("remote", r.RemoteAddr),
			zap.String("why", "no file of vend.tokens holds this token"),
		)
		return Caller{}, &Refusal{
			Reason:  reason.TokenRefused,
			Message: "no file of vend.tokens holds this token; the daemon's log names the files that it could not use",
		}
	default:
		k.lines.Warn(
			quota.Unidentified(),
			"two files hold the same token",
			"credentials refused",
			zap.String("reason", "TOKEN_REFUSED"),
			zap.String("why", "two files hold the same token; the daemon accepts it for neither peer"),
			zap.String("file", found[0].file),
			zap.String("other_file", found[1].file),
		)
		return Caller{}, &Refusal{
			Reason:  reason.TokenRefused,
			Message: "two peers share this token, so that it identifies neither; the daemon's log names the files",
		}
	}
}

// check reads all files once, so that the log names unusable ones before the first request.
func (k *keyring) check() {
	for _, t := range k.tokens {
		t.current(k.log)
	}
}

// readTimeout bounds the wait for a token file. A local file takes less than a millisecond.
const readTimeout = time.Second

// current returns the digest of the token, and reports whether there is one. The file
// is read outside of the lock, by one goroutine at a time: a file system that does not
// answer costs its own token, and no other.
func (t *token) current(log *zap.Logger) ([sha256.Size]byte, bool) {
	t.mu.Lock()
	done := t.reading
	if done == nil {
		done = make(chan struct{})
		t.reading = done
		go t.read(done, log)
	}
	t.mu.Unlock()
	timer := time.NewTimer(readTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.say(log, fmt.Errorf("its file system did not answer within %s", readTimeout))
		return [sha256.Size]byte{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.digest, t.good
}

// read reads the file, unless it is the one that was read last.
func (t *token) read(done chan struct{}, log *zap.Logger) {
	t.mu.Lock()
	seen, good := t.seen, t.good
	t.mu.Unlock()
	text, info, err := t.changed(seen)
	t.mu.Lock()
	defer t.mu.Unlock()
	defer close(done)
	t.reading = nil
	switch {
	case err == nil && text == nil:
		t.good = good
	case err == nil:
		t.seen, t.digest, t.good, t.problem = info, sha256.Sum256(text), true, ""
		clear(text)
	default:
		t.seen, t.digest, t.good = nil, [sha256.Size]byte{}, false
		t.say(log, err)
	}
}

// changed returns the file's bytes, and nil when it is the file of seen.
func (t *token) changed(seen fs.FileInfo) ([]byte, fs.FileInfo, error) {
	f, info, err := openToken(t.file, t.peer.UID)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	if seen != nil && os.SameFile(info, seen) && info.Size() == seen.Size() && info.Mode() == seen.Mode() &&
		info.ModTime().Equal(seen.ModTime()) && time.Since(info.ModTime()) > settled {
		return nil, seen, nil
	}
	// No error text contains bytes of the file.
	text, err := io.ReadAll(io.LimitReader(f, tokenMax+1))
	if err != nil {
		return nil, nil, err
	}
	return text, info, fit(text)
}

// say logs a problem when it is another than the last one; mu is held.
func (t *token) say(log *zap.Logger, err error) {
	if t.problem != err.Error() {
		t.problem = err.Error()
		log.Warn("a token file cannot be used", zap.String("file", t.file), zap.Error(err))
	}
}

func fit(text []byte) error {
	switch {
	case len(text) == 0:
		return errors.New("it is empty")
	case len(text) > tokenMax:
		return fmt.Errorf("it has more than %d bytes", tokenMax)
	case text[len(text)-1] == '\n':
		return errors.New("it ends in a newline, which AWS SDKs refuse to send; write it with printf %s")
	case len(text) < tokenMin:
		return fmt.Errorf("it has %d characters, and could be guessed; use at least %d: openssl rand -hex 32", len(text), tokenMin)
	}
	for i, b := range text {
		if b <= ' ' || b > '~' {
			return fmt.Errorf("byte %d is not a visible ASCII character", i)
		}
	}
	return nil
}
