package cli

// verifyFormat is an output format of verify.
type verifyFormat string

const (
	verifyText  verifyFormat = "text"
	verifyShort verifyFormat = "short"
	verifyJSON  verifyFormat = "json"
	verifyJUnit verifyFormat = "junit"
	verifySARIF verifyFormat = "sarif"
	verifyHTML  verifyFormat = "html"
)

var verifyFormats = []verifyFormat{verifyText, verifyShort, verifyJSON, verifyJUnit, verifySARIF, verifyHTML}
