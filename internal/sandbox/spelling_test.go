package sandbox_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// The SDK for Go reads XML names in any case; other SDKs do not. So every
// element of every answer that a test gets has to be spelled as in the models
// that the SDK was made from.

// modelNames reads the names of all elements from the SDK's own sources: from its
// deserializers, or, of a service that has none, from its schemas.
var modelNames = sync.OnceValues(func() (map[string]bool, error) {
	deserializers := regexp.MustCompile(`(?:EqualFold|GetElement)\("([A-Za-z0-9:]+)"`)
	schemas := regexp.MustCompile(`AddMember\("([A-Za-z0-9:]+)"`)
	operations := regexp.MustCompile(`func \(c \*Client\) ([A-Z][A-Za-z]+)\(ctx`)
	names := map[string]bool{}
	for _, service := range []string{"s3", "iam", "sts"} {
		out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
		if err != nil {
			return nil, fmt.Errorf("finding the SDK's sources: %w", err)
		}
		dir := strings.TrimSpace(string(out))
		text, err := os.ReadFile(filepath.Join(dir, "deserializers.go"))
		pattern := deserializers
		if errors.Is(err, os.ErrNotExist) {
			text, err = os.ReadFile(filepath.Join(dir, "schemas", "schemas.go"))
			pattern = schemas
		}
		if err != nil {
			return nil, err
		}
		for _, m := range pattern.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		// The element around the answer of an operation is in no schema.
		calls, err := filepath.Glob(filepath.Join(dir, "api_op_*.go"))
		if err != nil {
			return nil, err
		}
		for _, path := range calls {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			for _, m := range operations.FindAllSubmatch(text, -1) {
				names[string(m[1])+"Result"] = true
			}
		}
	}
	return names, nil
})

// spellChecker checks the texts of all answers that a client gets.
type spellChecker struct {
	t    testing.TB
	next *http.Transport
}

func (s spellChecker) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(resp.Header.Get("Content-Type"), "/xml") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err == nil {
		s.check(r, body)
	}
	return resp, err
}

func (s spellChecker) check(r *http.Request, body []byte) {
	names, err := modelNames()
	if err != nil {
		s.t.Error(err)
		return
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	depth := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			s.t.Errorf("the answer to %s %s is not XML: %v\n%s", r.Method, r.URL, err, body)
			return
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			if depth == 0 && (name == "Error" || name == "ErrorResponse") {
				return // errors tell more than the models say
			}
			// S3's outermost names are in no model.
			if depth > 0 && !names[name] && name != "ResponseMetadata" && name != "RequestId" {
				s.t.Errorf("no model knows <%s>, in the answer to %s %s", name, r.Method, r.URL)
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
}
