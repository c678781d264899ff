package kernel

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// BoolText is the text of a bool in condition keys and XML.
func BoolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// FormatUnix is the text of a time in seconds since 1970.
func FormatUnix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// ISOTime is the time format of S3's and the query services' XML.
func ISOTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// QueryTime is the time format of the query protocol.
func QueryTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// RemoteIP is the address of the client without its port.
func RemoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// HTTPTime is the time format of HTTP headers.
func HTTPTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// TLSVersion is the text of a TLS version, as in "1.3".
func TLSVersion(v uint16) string {
	if v == 0x0304 {
		return "1.3"
	}
	return "1.2"
}

// ListTime is the time format of S3's listings: whole seconds with three zeros.
func ListTime(t time.Time) string { return ISOTime(t.Truncate(time.Second)) }
