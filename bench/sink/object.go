package sink

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// drain reads a body to its end and returns the length of its payload. A body that is
// shorter than its request declares is an error.
func (s *Sink) drain(r *http.Request) (int64, error) {
	page := s.pages.Get().(*[]byte)
	defer s.pages.Put(page)
	var n int64
	for {
		m, err := r.Body.Read(*page)
		n += int64(m)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("after %d bytes: %w", n, err)
		}
	}
	// aws-chunked: the chunk headers and the trailer are not part of the object.
	if decoded := r.Header.Get("X-Amz-Decoded-Content-Length"); decoded != "" {
		size, err := strconv.ParseInt(decoded, 10, 64)
		if err != nil || size < 0 || size > n {
			return 0, fmt.Errorf("a decoded length of %q in a body of %d bytes", decoded, n)
		}
		return size, nil
	}
	return n, nil
}

func incomplete(err error) answer {
	return refuse(http.StatusBadRequest, "IncompleteBody", err.Error())
}

func (s *Sink) putObject(r *http.Request) answer {
	size, err := s.drain(r)
	if err != nil {
		return incomplete(err)
	}
	header := repeated(nil, r.Header, encryptionHeaders)
	repeated(header, r.Header, checksumHeaders)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	etag := fmt.Sprintf(`"sink-%d"`, s.nextID) // not in the form of an MD5, so that no client compares it with one
	header.Set("ETag", etag)
	s.keep(r.URL.Path, object{size: size, etag: etag, seen: header})
	return ok(header, nil)
}

func (s *Sink) headObject(r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, found := s.objects[r.URL.Path]
	if !found {
		return answer{status: http.StatusNotFound}
	}
	header := o.seen.Clone()
	header.Set("ETag", o.etag)
	header.Set("Content-Length", strconv.FormatInt(o.size, 10))
	header.Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	return ok(header, nil)
}

type listing struct {
	XMLName     xml.Name `xml:"ListBucketResult"`
	Namespace   string   `xml:"xmlns,attr"`
	Prefix      string
	KeyCount    int
	MaxKeys     int
	IsTruncated bool
}

// listObjects returns an empty list, so that a sender that lists first sends all its
// objects.
func (s *Sink) listObjects(_ *http.Request, query url.Values) answer {
	return ok(nil, listing{Namespace: s3Namespace, Prefix: query.Get("prefix"), MaxKeys: 1000})
}
