package sandbox

import (
	"strconv"
	"time"
)

func enableKey(s *kmsService, cl *call, in *kmsInput) (any, error) {
	return setKeyState(s, cl, in, false)
}
func disableKey(s *kmsService, cl *call, in *kmsInput) (any, error) {
	return setKeyState(s, cl, in, true)
}

func setKeyState(s *kmsService, cl *call, in *kmsInput, disabled bool) (any, error) {
	k, err := s.kmsCall(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if state := k.state(); state == "PendingDeletion" || state == "PendingImport" {
		return nil, k.usable()
	}
	k.disabled = disabled
	k.rotateDue(cl.now)
	return nil, nil
}

func scheduleKeyDeletion(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if e := kmsWithin(in.PendingWindowInDays, "pendingWindowInDays", 1, 365); e != nil {
		return nil, e
	}
	days := 30
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	k, err := s.kmsCall(cl, in, map[string][]string{"kms:ScheduleKeyDeletionPendingWindowInDays": {strconv.Itoa(days)}})
	if err != nil {
		return nil, err
	}
	if days < 7 || days > 30 {
		return nil, jsonFail("ValidationException", "PendingWindowInDays must be between 7 and 30 days.") // [unverified] wording
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	k.deletion, k.PendingWindow = cl.now.Add(time.Duration(days)*24*time.Hour), days
	return map[string]any{"KeyId": k.arn, "DeletionDate": kmsTime(k.deletion), "KeyState": "PendingDeletion", "PendingWindowInDays": days}, nil
}

func cancelKeyDeletion(s *kmsService, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if k.deletion.IsZero() {
		return nil, jsonFail("KMSInvalidStateException", "%s is not pending deletion.", k.arn)
	}
	k.deletion, k.PendingWindow, k.disabled = time.Time{}, 0, true // comes back disabled, as AWS does
	return map[string]string{"KeyId": k.arn}, nil
}
