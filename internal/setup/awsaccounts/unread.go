package awsaccounts

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/setup"
)

// partOf makes a part of an answer. The codes are how the service says that there
// is nothing; every other error leaves the part unread.
func partOf[T any](v T, err error, absent ...string) setup.Part[T] {
	switch {
	case err == nil:
		return setup.KnownPart(v)
	case slices.Contains(absent, codeOf(err)):
		return setup.AbsentPart[T]()
	}
	return setup.UnreadPart[T](reasonOf(err))
}

// ask is partOf for an answer that takes more than a call.
func ask[T any](f func() (T, error), absent ...string) setup.Part[T] {
	v, err := f()
	return partOf(v, err, absent...)
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// reasonOf is AWS's own words without the SDK's wrapping.
func reasonOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err.Error()
	}
	if api.ErrorMessage() == "" || api.ErrorMessage() == api.ErrorCode() {
		return api.ErrorCode()
	}
	return api.ErrorCode() + ": " + api.ErrorMessage()
}
