package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// keyState reports a key that cannot be used, which no policy change repairs. state is
// the key's state as KMS describes it, if it is known.
func (d *diagnosis) keyState(c *finding, awsCode, state string) {
	c.Account, c.Artefact, c.ArtefactARN = awsarn.Account(d.dest.KMSKey), report.ArtefactKeyState, d.dest.KMSKey
	account := d.account(c.Account)
	owner := accountOrB(c.Account)
	at := " --region " + d.dest.Region + " --key-id " + d.dest.KMSKey
	repair := report.Fix{Kind: report.FixSetting, Target: d.dest.KMSKey, Account: account, Owner: d.owner(report.ArtefactKeyState, account)}
	switch awsCode {
	case "KMS.DisabledException", "DisabledException":
		c.Code, c.Detail = causeKeyDisabled, "the key is disabled"
		repair.Text, repair.Command = fmt.Sprintf(
			"Enable the key in account %s. This affects every user of the key.",
			owner,
		), "aws kms enable-key"+at
	case "KMS.KMSInvalidStateException", "KMSInvalidStateException":
		c.Code, c.Detail = causeKeyPending, "the key is pending deletion or import and cannot be used"
		repair.Text = fmt.Sprintf(
			"In account %s, look at the state of the key (`aws kms describe-key`). A key that waits for its key material needs an import.",
			owner,
		)
		if strings.Contains(c.AWSMessage, "pending deletion") || state == "PendingDeletion" {
			repair.Text = fmt.Sprintf("Cancel the deletion of the key in account %s, and enable it. This affects every user of the key.", owner)
			repair.Command = "aws kms cancel-key-deletion" + at + " && aws kms enable-key" + at
		}
	case "KMS.NotFoundException", "NotFoundException":
		c.Code, c.Detail = causeKeyNotFound, "KMS has no such key in "+d.dest.Region
		c.Fix = "Correct `kms_key`: it must be the full ARN of a key in the bucket's Region."
		return
	default:
		c.Code, c.Detail = causeKeyUnusable, "the key cannot be used for this"
		c.Fix = "Use a symmetric encryption key (KeySpec SYMMETRIC_DEFAULT, KeyUsage ENCRYPT_DECRYPT) in `kms_key`."
		return
	}
	if c.AWSMessage != "" {
		c.Detail += ": " + c.AWSMessage
	}
	c.Repair = repair
}

// keyMetadata is the answer of DescribeKey.
type keyMetadata struct {
	KeyMetadata struct{ KeyState, KeySpec, KeyUsage, KeyManager string }
}

// readKeyState evaluates the description of the key.
func (r *run) readKeyState() []finding {
	var m keyMetadata
	if state, why := r.docs.state(report.DocumentKey); state != report.Known {
		if state == report.Absent {
			f := finding{Result: report.Fail, Confidence: report.Strong}
			r.diagnosis.keyState(&f, "NotFoundException", "")
			return []finding{f}
		}
		return []finding{r.notRead(report.DocumentKey, r.accountB(), report.ArtefactKeyState, r.dest.KMSKey, why)}
	}
	r.docs.setting(report.DocumentKey, &m)
	f := finding{
		Result:     report.Fail,
		Confidence: report.Strong,
		step:       stepCreate,
		Evidence: []report.Evidence{
			{
				Source:    report.SourceStatic,
				Operation: "kms:DescribeKey",
				Text:      "state " + m.KeyMetadata.KeyState + ", " + m.KeyMetadata.KeySpec + ", " + m.KeyMetadata.KeyUsage,
			},
		},
	}
	switch k := m.KeyMetadata; {
	case k.KeyState == "Disabled":
		r.diagnosis.keyState(&f, "DisabledException", k.KeyState)
	case k.KeyState == "PendingDeletion", k.KeyState == "PendingImport", k.KeyState == "Unavailable", k.KeyState == "PendingReplicaDeletion":
		r.diagnosis.keyState(&f, "KMSInvalidStateException", k.KeyState)
	case k.KeySpec != "" && k.KeySpec != "SYMMETRIC_DEFAULT", k.KeyUsage != "" && k.KeyUsage != "ENCRYPT_DECRYPT":
		r.diagnosis.keyState(&f, "InvalidKeyUsageException", k.KeyState)
	case k.KeyManager == "AWS":
		r.diagnosis.keyState(&f, "InvalidKeyUsageException", k.KeyState)
		f.Detail = "the key is an AWS managed key: no other account can use it"
	default:
		return []finding{{Result: report.Pass, Detail: "a symmetric key, " + orText(k.KeyState, "enabled")}}
	}
	return []finding{f}
}
