package sandbox

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func formatUnix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// isoTime is the time form of S3's and the query services' XML.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func queryTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
