package s3client

import "fmt"

// ProxyError is a failure of the proxy: the store was not reached. It never holds the
// proxy's user or password.
type ProxyError struct {
	Address string // host:port of the proxy
	Status  int    // HTTP status of its refusal; 0: there was no answer
	Err     error  // nil when the proxy refused
}

// Error names the proxy.
func (e *ProxyError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("the proxy %s answered HTTP %d", e.Address, e.Status)
	}
	return fmt.Sprintf("the proxy %s: %v", e.Address, e.Err)
}

// Unwrap returns the cause.
func (e *ProxyError) Unwrap() error { return e.Err }

// ProxyAddress returns the host and the port of the proxy.
func (e *ProxyError) ProxyAddress() string { return e.Address }

// ProxyStatus returns the HTTP status of the proxy's refusal; 0: there was no answer.
func (e *ProxyError) ProxyStatus() int { return e.Status }
