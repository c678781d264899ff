package kernel

import "time"

// maxCalls bounds the memory of the recording; older calls are dropped first.
const maxCalls = 1 << 16

// Call is one recorded API call. Calls that S3 makes to KMS on behalf of a
// caller are recorded too, with Via set.
type Call struct {
	Time      time.Time
	Service   string // sts, iam, s3, kms
	Operation string // AssumeRole, PutObject, …; empty when it is unknown
	Principal string // ARN of the caller, empty when not authenticated
	Account   string // the caller's account
	AccessKey string // the access key id that signed
	Resource  string // ARN, or empty
	Via       string // "s3.amazonaws.com" for forward-access calls
	Decision  string // allowed, denied, or empty when policies were not reached
	ErrorCode string // AWS's error code, empty for success
	Message   string // AWS's error text, empty for success
	Status    int    // HTTP status, 0 for forward-access calls
	RequestID string
	BytesIn   int64  // length of the request body as the client sent it
	Owner     string // account of the resource, when a policy was asked
	Region    string // of forward-access calls
	// EncryptionContext is KMS's, for forward-access calls.
	EncryptionContext map[string]string
}

// Calls returns the recorded calls, oldest first.
func (k *Kernel) Calls() []Call {
	k.callMu.Lock()
	defer k.callMu.Unlock()
	return append([]Call(nil), k.calls...)
}

// CountCalls counts the recorded calls of one operation. S3's own calls to KMS are not counted.
func (k *Kernel) CountCalls(service, operation string) int {
	k.callMu.Lock()
	defer k.callMu.Unlock()
	n := 0
	for i := range k.calls {
		c := &k.calls[i]
		if c.Service == service && c.Operation == operation && c.Via == "" {
			n++
		}
	}
	return n
}

// ResetCalls forgets the recorded calls.
func (k *Kernel) ResetCalls() {
	k.callMu.Lock()
	defer k.callMu.Unlock()
	k.calls = nil
}

func (k *Kernel) recordCall(c Call) {
	k.callMu.Lock()
	defer k.callMu.Unlock()
	if len(k.calls) >= maxCalls {
		k.calls = append(k.calls[:0:0], k.calls[maxCalls/4:]...)
	}
	k.calls = append(k.calls, c)
}
