package sink

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// answer is a response that has not been sent yet.
type answer struct {
	status int
	header http.Header
	body   any // marshalled as XML; nil: none
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	var text []byte
	if a.body != nil {
		var err error
		if text, err = xml.Marshal(a.body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		text = append([]byte(xml.Header), text...)
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(text) // an error means that the sender has closed the connection
}

func ok(header http.Header, body any) answer { return answer{http.StatusOK, header, body} }

type failure struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

func refuse(status int, code, message string) answer {
	return answer{status: status, body: failure{Code: code, Message: message}}
}

// The headers of a request that S3 repeats in its answer.
var (
	encryptionHeaders = []string{
		"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled",
	}
	checksumHeaders = []string{
		"X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256",
	}
)

// repeated copies those of the named headers that are there.
func repeated(into, from http.Header, names []string) http.Header {
	if into == nil {
		into = make(http.Header)
	}
	for _, name := range names {
		if v := from[name]; len(v) > 0 {
			into[name] = v
		}
	}
	return into
}
