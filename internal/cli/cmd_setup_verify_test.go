package cli

import "testing"

func TestWhoseCredentialsAreHere(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/path/app"
	for caller, want := range map[string]bool{
		"arn:aws:sts::111122223333:assumed-role/app/i-1":   true,
		"arn:aws:sts::111122223333:assumed-role/other/i-1": false,
		"arn:aws:sts::444455556666:assumed-role/app/i-1":   false,
		"arn:aws:sts::111122223333:assumed-role/a/app":     false,
		"arn:aws:iam::111122223333:user/app":               false,
		"":                                                 false,
	} {
		if sameIdentity(caller, role) != want {
			t.Errorf("%s: want %v", caller, want)
		}
	}
	if user := "arn:aws:iam::111122223333:user/app"; !sameIdentity(user, user) {
		t.Error("a user is itself")
	}
}
