package s3client

const upperHex = "0123456789ABCDEF"

// appendEscaped appends s as SigV4 wants it: every byte but RFC 3986's unreserved
// ones as %XX, once. In paths the slash stays, and so do dots: S3's keys are
// names, not paths, and ".." is as good a name as any.
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
