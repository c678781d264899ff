package uploader

import (
	"errors"
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

// S3's response is compared with the request: another key, no key, or other bytes are an
// error.
func TestAnswerThatDiffersIsNoSuccess(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	aws := &config.Destination{Name: "logs", KMSKey: key}
	compatible := &config.Destination{Name: "logs", KMSKey: "my-key", Compatible: true}
	plain := &config.Destination{Name: "logs", Compatible: true}
	good := Stored{Encryption: "aws:kms", KMSKeyARN: key, ChecksumCRC32C: "AAAAAA=="}
	with := func(change func(*Stored)) Stored {
		s := good
		change(&s)
		return s
	}
	for name, tc := range map[string]struct {
		dest  *config.Destination
		got   Stored
		field string // empty: accepted
	}{
		"as asked":                    {aws, good, ""},
		"no encryption":               {aws, with(func(s *Stored) { s.Encryption = "" }), "encryption"},
		"another encryption":          {aws, with(func(s *Stored) { s.Encryption = "AES256" }), "encryption"},
		"another key":                 {aws, with(func(s *Stored) { s.KMSKeyARN += "0" }), "encryption under key"},
		"no key named":                {aws, with(func(s *Stored) { s.KMSKeyARN = "" }), "encryption under key"},
		"another checksum":            {aws, with(func(s *Stored) { s.ChecksumCRC32C = "BBBBBB==" }), "the CRC32C"},
		"no checksum":                 {aws, with(func(s *Stored) { s.ChecksumCRC32C = "" }), "the CRC32C"},
		"composite checksum":          {aws, with(func(s *Stored) { s.ChecksumCRC32C = "AAAAAA==-2" }), "the CRC32C"},
		"store names its key its way": {compatible, with(func(s *Stored) { s.KMSKeyARN = "arn:aws:kms:my-key" }), ""},
		"store proves no checksum":    {compatible, with(func(s *Stored) { s.KMSKeyARN = "my-key"; s.ChecksumCRC32C = "" }), ""},
		"store proves another": {compatible, with(func(s *Stored) { s.KMSKeyARN = "my-key"; s.ChecksumCRC32C = "BBBBBB==" }),
			"the CRC32C"},
		"store ignores encryption":   {compatible, Stored{ChecksumCRC32C: "AAAAAA=="}, "encryption"},
		"store was not asked for it": {plain, Stored{ChecksumCRC32C: "AAAAAA=="}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkResponse(tc.dest, tc.got, "AAAAAA==", true)
			var m *MismatchError
			switch {
			case tc.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.field != "" && (!errors.As(err, &m) || m.Field != tc.field):
				t.Errorf("got %v, want a mismatch of %s", err, tc.field)
			}
		})
	}
}
