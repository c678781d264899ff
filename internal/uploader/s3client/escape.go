package s3client

const upperHex = "0123456789ABCDEF"

// appendEscaped appends s as SigV4 requires: every byte as %XX, once, except the
// unreserved ones of RFC 3986. A path keeps its slashes and dots: S3's keys are names,
// not paths, and ".." is a valid name.
func appendEscaped(dst []byte, s string, path bool) []byte {
	for i := range len(s) {
		if b := s[i]; unreserved[b] || path && b == '/' {
			dst = append(dst, b)
		} else {
			dst = append(dst, '%', upperHex[b>>4], upperHex[b&15])
		}
	}
	return dst
}

func escaped(s string, path bool) string {
	plain := true
	for i := range len(s) {
		plain = plain && (unreserved[s[i]] || path && s[i] == '/')
	}
	if plain {
		return s
	}
	return string(appendEscaped(make([]byte, 0, len(s)+len(s)/2+8), s, path))
}

var unreserved = func() (t [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[b] = true
	}
	return t
}()
