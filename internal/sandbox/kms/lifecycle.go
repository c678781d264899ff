package kms

import (
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

func enableKey(s *Service, cl *kernel.Request, in *input) (any, error) {
	return setKeyState(s, cl, in, false)
}
func disableKey(s *Service, cl *kernel.Request, in *input) (any, error) {
	return setKeyState(s, cl, in, true)
}

func setKeyState(s *Service, cl *kernel.Request, in *input, disabled bool) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if state := k.state(); state == "PendingDeletion" || state == "PendingImport" {
		return nil, k.usable()
	}
	k.disabled = disabled
	k.rotateDue(cl.Now)
	return nil, nil
}

func scheduleKeyDeletion(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := within(in.PendingWindowInDays, "pendingWindowInDays", 1, 365); e != nil {
		return nil, e
	}
	days := 30
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	k, err := s.namedKey(cl, in, map[string][]string{"kms:ScheduleKeyDeletionPendingWindowInDays": {strconv.Itoa(days)}})
	if err != nil {
		return nil, err
	}
	if days < 7 || days > 30 {
		return nil, kernel.JSONFail("ValidationException", "PendingWindowInDays must be between 7 and 30 days.") // [unverified] wording
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	k.deletion, k.PendingWindow = cl.Now.Add(time.Duration(days)*24*time.Hour), days
	return map[string]any{
		"KeyId":               k.arn,
		"DeletionDate":        epoch(k.deletion),
		"KeyState":            "PendingDeletion",
		"PendingWindowInDays": days,
	}, nil
}

func cancelKeyDeletion(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if k.deletion.IsZero() {
		return nil, kernel.JSONFail("KMSInvalidStateException", "%s is not pending deletion.", k.arn)
	}
	k.deletion, k.PendingWindow, k.disabled = time.Time{}, 0, true // comes back disabled, as AWS does
	return map[string]string{"KeyId": k.arn}, nil
}
