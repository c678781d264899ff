package chaos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

// follower reads the audit trail as it grows. It counts the calls of deliveries,
// and notes the last call that named each multipart upload.
type follower struct {
	mu    sync.Mutex
	calls map[string]int
	used  map[string]string // the last call by upload id
	group sync.WaitGroup
	stop  context.CancelFunc
}

var followed = []string{"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "AssumeRole"}

func follow(t *testing.T, sb *sandbox.Sandbox) *follower {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(sb.CABundlePEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	f := &follower{calls: map[string]int{}, used: map[string]string{}}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	for _, name := range followed {
		f.group.Go(func() {
			if err := f.read(ctx, transport, sb, name); err != nil && ctx.Err() == nil {
				t.Errorf("following the trail of %s: %v", name, err)
			}
		})
	}
	t.Cleanup(func() {
		f.close()
		transport.CloseIdleConnections()
	})
	return f
}

// close stops reading the trail.
func (f *follower) close() {
	f.stop()
	f.group.Wait()
}

func (f *follower) read(ctx context.Context, transport *http.Transport, sb *sandbox.Sandbox, name string) error {
	at := sb.Endpoint() + "/_sandbox/events?" + url.Values{"follow": {"true"}, "name": {name}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+sb.AdminToken())
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := json.NewDecoder(resp.Body); ; {
		var e trail.Event
		if err := lines.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("the trail ended")
			}
			return err
		}
		f.note(&e)
	}
}

func (f *follower) note(e *trail.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[e.EventName]++
	if id, ok := e.RequestParameters["uploadId"].(string); ok && id != "" {
		said := e.ErrorCode
		if said == "" {
			said = "OK"
		}
		f.used[id] = e.EventName + ": " + said
	}
}

// lastUse returns the last call that named the upload, or "" if no call did.
func (f *follower) lastUse(uploadID string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used[uploadID]
}
