package uploader

import "fmt"

// UnfinishedError is the error of a delivery whose multipart upload was left in the
// bucket: its abort failed, or S3 may still complete it. The sweeper aborts it later.
type UnfinishedError struct {
	Err                          error // of the delivery
	Owner, Bucket, Key, UploadID string
	// Completing: the completion got no answer, so that S3 may still make the object.
	Completing bool
}

// Error returns the error of the delivery, and Note.
func (e *UnfinishedError) Error() string { return e.Err.Error() + "; " + e.Note() }

// Unwrap returns the error of the delivery.
func (e *UnfinishedError) Unwrap() error { return e.Err }

// Note names the upload and its end, for people.
func (e *UnfinishedError) Note() string {
	place := fmt.Sprintf("multipart upload %s of s3://%s/%s", e.UploadID, e.Bucket, e.Key)
	if e.Completing {
		return fmt.Sprintf("S3 may still complete the %s; if it does not, brokerd aborts it after %d minutes",
			place, int(completionGrace.Minutes()))
	}
	owner := "account " + e.Owner
	if e.Owner == "" { // a compatible store
		owner = "the bucket's owner"
	}
	return fmt.Sprintf("the unfinished %s is left: brokerd retries its abort every %d minutes, and %s can abort it",
		place, int(sweepEvery.Minutes()), owner)
}
