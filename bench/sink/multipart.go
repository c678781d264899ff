package sink

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxPart is S3's limit of part numbers.
const maxPart = 10_000

type created struct {
	XMLName   xml.Name `xml:"InitiateMultipartUploadResult"`
	Namespace string   `xml:"xmlns,attr"`
	Bucket    string
	Key       string
	UploadID  string `xml:"UploadId"`
}

func (s *Sink) createUpload(r *http.Request) answer {
	if _, err := s.drain(r); err != nil {
		return incomplete(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	id := fmt.Sprintf("upload-%d", s.nextID)
	asked := repeated(nil, r.Header, encryptionHeaders)
	s.uploads[id] = &upload{path: r.URL.Path, asked: asked, parts: make(map[int]int64)}
	header := repeated(asked.Clone(), r.Header, []string{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type"})
	bucket, key := split(r.URL.Path)
	return ok(header, created{Namespace: s3Namespace, Bucket: bucket, Key: key, UploadID: id})
}

// open returns the upload that a request names. The caller holds the lock.
func (s *Sink) open(r *http.Request, query url.Values) (*upload, answer) {
	u := s.uploads[query.Get("uploadId")]
	if u == nil || u.path != r.URL.Path {
		return nil, refuse(http.StatusNotFound, "NoSuchUpload", "no upload "+query.Get("uploadId")+" of "+r.URL.Path+" is open")
	}
	return u, answer{}
}

func (s *Sink) uploadPart(r *http.Request, query url.Values) answer {
	number, err := strconv.Atoi(query.Get("partNumber"))
	if err != nil || number < 1 || number > maxPart {
		return refuse(http.StatusBadRequest, "InvalidArgument", "partNumber is from 1 to 10000")
	}
	size, err := s.drain(r)
	if err != nil {
		return incomplete(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, no := s.open(r, query)
	if u == nil {
		return no
	}
	u.parts[number] = size
	header := repeated(u.asked.Clone(), r.Header, checksumHeaders)
	header.Set("ETag", partETag(number))
	return ok(header, nil)
}

func partETag(number int) string { return fmt.Sprintf(`"part-%d"`, number) }

// completion is the part of a CompleteMultipartUpload request that the sink reads.
type completion struct {
	Parts []struct {
		Number int    `xml:"PartNumber"`
		ETag   string `xml:"ETag"`
	} `xml:"Part"`
}

type completed struct {
	XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
	Namespace         string   `xml:"xmlns,attr"`
	Bucket            string
	Key               string
	ETag              string
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func (s *Sink) completeUpload(r *http.Request, query url.Values) answer {
	var asked completion
	if err := xml.NewDecoder(http.MaxBytesReader(nil, r.Body, 4<<20)).Decode(&asked); err != nil {
		return refuse(http.StatusBadRequest, "MalformedXML", err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, no := s.open(r, query)
	if u == nil {
		return no
	}
	var size int64
	last := 0
	for _, p := range asked.Parts {
		n, there := u.parts[p.Number]
		if !there || strings.Trim(p.ETag, `"`) != strings.Trim(partETag(p.Number), `"`) {
			return refuse(http.StatusBadRequest, "InvalidPart", fmt.Sprintf("part %d was not sent", p.Number))
		}
		if p.Number <= last {
			return refuse(http.StatusBadRequest, "InvalidPartOrder", "the parts are not in ascending order")
		}
		last = p.Number
		size += n
	}
	if said := r.Header.Get("X-Amz-Mp-Object-Size"); said != "" && said != strconv.FormatInt(size, 10) {
		return refuse(http.StatusBadRequest, "InvalidRequest", fmt.Sprintf("the parts are %d bytes, not %s", size, said))
	}
	delete(s.uploads, query.Get("uploadId"))
	s.nextID++
	etag := fmt.Sprintf(`"sink-%d-%d"`, s.nextID, len(asked.Parts))
	header := u.asked.Clone()
	s.keep(u.path, object{size: size, etag: etag, seen: repeated(header.Clone(), r.Header, checksumHeaders)})
	bucket, key := split(u.path)
	return ok(header, completed{
		Namespace: s3Namespace, Bucket: bucket, Key: key, ETag: etag,
		ChecksumCRC32: r.Header.Get("X-Amz-Checksum-Crc32"), ChecksumCRC32C: r.Header.Get("X-Amz-Checksum-Crc32c"),
		ChecksumCRC64NVME: r.Header.Get("X-Amz-Checksum-Crc64nvme"), ChecksumType: r.Header.Get("X-Amz-Checksum-Type"),
	})
}

func (s *Sink) abortUpload(r *http.Request, query url.Values) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, no := s.open(r, query); u == nil {
		return no
	}
	delete(s.uploads, query.Get("uploadId"))
	return answer{status: http.StatusNoContent}
}

func split(path string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return bucket, key
}
