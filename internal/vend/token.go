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
	"github.com/brokerd/brokerd/internal/reason"
)

const (
	tokenMin = 32
	tokenMax = 4096
	// settled is how old a file must be for its times to tell whether it changed:
	// file systems count in ticks, and two writes can fall into one.
	settled = 2 * time.Second
)

// token is one token file and whose token it is.
type token struct {
	file string
	peer access.Peer
	only []string

	mu      sync.Mutex
	seen    fs.FileInfo // of what digest is of; nil: read again
	digest  [sha256.Size]byte
	good    bool
	problem string // the last one that was logged
}

// keyring knows callers by their tokens. It is safe for concurrent use.
type keyring struct {
	tokens []*token
	log    *zap.Logger
}

// identify says whose token the Authorization header holds, as SDKs send it: the
// bare token.
func (k *keyring) identify(r *http.Request) (Caller, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || values[0] == "" {
		return Caller{}, &Refusal{Reason: reason.TokenRefused, Message: "the request has no token; set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the file that vend.tokens names for this user"}
	}
	shown := sha256.Sum256([]byte(values[0]))
	var found []*token
	// All are compared, so that the time says nothing about which one was near.
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
		k.log.Warn("credentials not handed out", zap.String("reason", "TOKEN_REFUSED"), zap.String("remote", r.RemoteAddr), zap.String("why", "the token is nobody's"))
		return Caller{}, &Refusal{Reason: reason.TokenRefused, Message: "the token is not one that vend.tokens names; the daemon's log says which files it could not use"}
	default:
		k.log.Error("credentials not handed out", zap.String("reason", "TOKEN_REFUSED"), zap.String("why", "the files hold the same token, which then stands for nobody"),
			zap.String("file", found[0].file), zap.String("other_file", found[1].file))
		return Caller{}, &Refusal{Reason: reason.TokenRefused, Message: "the token is that of two peers, and so of none; the daemon's log names the files"}
	}
}

// check reads all files once, so that what is wrong is said before somebody asks.
func (k *keyring) check() {
	for _, t := range k.tokens {
		t.current(k.log)
	}
}

// current is the digest of the token, and whether there is one.
func (t *token) current(log *zap.Logger) ([sha256.Size]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, err := os.Stat(t.file)
	if err == nil && t.seen != nil && os.SameFile(now, t.seen) && now.Size() == t.seen.Size() && now.Mode() == t.seen.Mode() &&
		now.ModTime().Equal(t.seen.ModTime()) && time.Since(now.ModTime()) > settled {
		return t.digest, t.good
	}
	var text []byte
	if err == nil {
		text, t.seen, err = readToken(t.file)
	}
	t.good = err == nil
	if t.good {
		t.digest = sha256.Sum256(text)
		clear(text)
		t.problem = ""
		return t.digest, true
	}
	t.seen, t.digest = nil, [sha256.Size]byte{}
	if t.problem != err.Error() {
		t.problem = err.Error()
		log.Warn("a token opens nothing", zap.String("file", t.file), zap.Error(err))
	}
	return t.digest, false
}

// readToken never repeats what the file holds.
func readToken(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, nil, errors.New("it is not a regular file")
	case mode.Perm()&0o007 != 0:
		return nil, nil, fmt.Errorf("its mode is %#o: everybody on this machine can use the token; chmod o= it", mode.Perm())
	case mode.Perm()&0o020 != 0:
		return nil, nil, fmt.Errorf("its mode is %#o: its group can replace the token; chmod g-w it", mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, tokenMax+1))
	if err != nil {
		return nil, nil, err
	}
	return text, info, fit(text)
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
		return fmt.Errorf("it has %d characters, and could be guessed; at least %d are asked for: openssl rand -hex 32", len(text), tokenMin)
	}
	for i, b := range text {
		if b <= ' ' || b > '~' {
			return fmt.Errorf("byte %d is not a visible ASCII character", i)
		}
	}
	return nil
}
