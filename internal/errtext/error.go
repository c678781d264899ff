package errtext

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
)

// Error is one error of AWS, as a text tells it. An empty field is not in the text.
type Error struct {
	Code      string // "AccessDenied", "KMS.DisabledException"
	Service   string // "s3", "kms", "sts": in lower case, as in an action
	Operation string // "PutObject"
	Status    int    // HTTP status
	RequestID string
	Message   string // the error's text, on one line

	// Denial is the refusal that the text describes; its Action is empty without one.
	Denial awserr.Denial
	// Stated reports that the text gives the reason of the refusal: an explicit deny, or
	// that no policy of the layer allows the action.
	Stated bool

	CallerAccount string // account id of the caller
	OwnerAccount  string // account id of the resource
	Bucket        string
	Role          string // ARN of the role to assume
}

// Read returns the errors in a text. A text without one gives none. Each field is one line.
func Read(text string) []Error {
	found := read(text)
	for i := range found {
		found[i].singleLine()
	}
	return found
}

func read(text string) []Error {
	text = clean(text)
	if found, ok := readJSON(strings.TrimSpace(text)); ok {
		return found
	}
	var out, weak []Error // weak: a status line, or a remark between the errors
	previous := ""
	for _, record := range records(text) {
		found := readRecord(record)
		switch {
		case statusLine.MatchString(record) && !slices.ContainsFunc(found, hasBody):
			weak = append(weak, found...)
		case !recordStart.MatchString(record) && !slices.ContainsFunc(found, func(e Error) bool { return !isRemark(e) }):
			weak = append(weak, found...)
		case rawAnswer.MatchString(record) && answers(out, found):
			// Fluent Bit logs the error, and then the answer of S3 with the same error.
		case strings.Contains(previous, "Traceback (most recent") && strings.HasPrefix(record, "An error occurred") && repeats(out, found):
			// `aws --debug` prints the trace of its error, and then the error.
		default:
			out = append(out, found...)
		}
		previous = record
	}
	if len(out) == 0 {
		return weak
	}
	return out
}

// statusLine matches the first line of an HTTP answer, as curl and Fluent Bit print it.
var statusLine = regexp.MustCompile(`HTTP/\d(?:\.\d)? [345]\d\d\b`)

// rawAnswer matches the record of Fluent Bit that holds the answer of S3.
var rawAnswer = regexp.MustCompile(`\bRaw \w+ response: `)

// answers reports whether the answer of S3 is the error that the record before it names.
func answers(out, found []Error) bool {
	if len(found) != 1 || len(out) == 0 {
		return false
	}
	last, next := &out[len(out)-1], &found[0]
	if last.Code != next.Code || !compatible(last.Operation, next.Operation) || next.Denial.Action != "" && last.Denial != next.Denial {
		return false
	}
	last.Status, last.RequestID = cmp.Or(last.Status, next.Status), cmp.Or(last.RequestID, next.RequestID)
	return true
}

// hasBody reports whether an error has more than the words of a status line.
func hasBody(e Error) bool { return e.Denial.Action != "" || e.Code != "" && e.Code != "Forbidden" }

// isRemark reports whether only a sentence makes a text an error: without a code or an
// operation, a person may have written it.
func isRemark(e Error) bool {
	return e.Denial.Action == "" && e.Code == "" && e.Operation == "" && e.Status == 0
}

// repeats reports whether the errors of a record end with those of the next one.
func repeats(out, found []Error) bool {
	if len(found) != 1 || len(out) == 0 {
		return false
	}
	last, next := &out[len(out)-1], &found[0]
	return last.Code == next.Code && last.Operation == next.Operation && last.Denial == next.Denial
}

func readRecord(record string) []Error {
	if i := strings.IndexByte(record, '{'); i >= 0 {
		if found, ok := readJSON(record[i:]); ok && len(found) > 0 {
			return found
		}
	}
	var out []Error
	for _, s := range segments(unescape(rejoin(record))) {
		e, ok := readSegment(s)
		if ok {
			out = appendNew(out, e)
		}
	}
	return out
}

// appendNew adds e unless the same record has it already: a trace repeats its error, and
// wraps the refusal of AWS in one of its own.
func appendNew(all []Error, e Error) []Error {
	for i := range all {
		a := &all[i]
		if !compatible(a.Operation, e.Operation) || !sameError(a, &e) {
			continue
		}
		if a.Denial.Action == "" && e.Denial.Action != "" {
			*a, e = e, *a
		}
		a.Code, a.Service, a.Operation = cmp.Or(a.Code, e.Code), cmp.Or(a.Service, e.Service), cmp.Or(a.Operation, e.Operation)
		a.Status, a.RequestID, a.Bucket = cmp.Or(a.Status, e.Status), cmp.Or(a.RequestID, e.RequestID), cmp.Or(a.Bucket, e.Bucket)
		return all
	}
	return append(all, e)
}

func sameError(a, b *Error) bool {
	bare := func(e *Error) bool {
		return e.Denial.Action == "" && (IsRefusal(e.Code) || e.Code == "" && e.Status == 403)
	}
	switch {
	case bare(a) && bare(b):
		return true
	case bare(a) && b.Denial.Action != "", bare(b) && a.Denial.Action != "":
		return true
	case a.Denial.Action != "":
		return a.Denial == b.Denial && compatible(a.Code, b.Code)
	}
	return a.Code != "" && a.Code == b.Code
}

func compatible(a, b string) bool { return a == "" || b == "" || a == b }

var (
	reKnownCode = regexp.MustCompile(`\b((?:KMS\.)?(?:` + strings.Join(knownCodes(), "|") + `))\b`)
	reJavaClass = regexp.MustCompile(`\.(\w+?)(?:Exception)?: `)
	reStatus    = regexp.MustCompile(`(?i)(?:status ?code["']?[:=]? ?|\bstatus["']?[:=] ?"?|response code: |` +
		`resulted in a .?|HTTP (?:error )?|\()([345]\d\d)\b`)
	reID     = regexp.MustCompile(`(?i)request[ _-]?id["']?\s*[:=>]?\s*["']?([A-Za-z0-9-]{8,})`)
	reARN    = regexp.MustCompile(`arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{0,12}):([^\s"'<>,;)\\]+)`)
	reBucket = regexp.MustCompile(`(?:s3a?://|arn:aws[a-z-]*:s3:::|Failed to upload \S{1,400} to )([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])`)
)

func first(patterns []*regexp.Regexp, s string) string {
	for _, p := range patterns {
		if m := p.FindStringSubmatch(s); m != nil {
			return m[1]
		}
	}
	return ""
}

// readSegment reads one error. It reports false if the text is no error of AWS.
func readSegment(s string) (Error, bool) {
	s = strings.ToValidUTF8(s[:min(len(s), maxSegment)], "")
	flat, ends := oneLine(s)
	code, sure := codeOf(flat)
	e := Error{Code: code}
	if e.Status = statusOfCode(code); e.Status > 0 {
		e.Code = ""
	}
	if m := reStatus.FindStringSubmatch(s); m != nil {
		e.Status, _ = strconv.Atoi(m[1])
	}
	if m := reID.FindStringSubmatch(s); m != nil && strings.ContainsAny(m[1], "0123456789") {
		e.RequestID = m[1]
	}
	m := messageOf(flat, ends, e.Code)
	e.Denial, e.Stated = denialOf(flat)
	if e.Denial.Action != "" {
		e.Code = refusalCode(e.Code, flat)
	}
	near := flat // names of services and actions in a remark are not those of the error
	if m.found {
		near = m.line
	}
	e.Operation = lastOperation(flat, near)
	e.Service = serviceOf(&e, flat, near)
	e.Message = m.text
	e.note(flat)
	return e, isError(&e, flat, sure)
}

// denialOf returns the refusal in a text, and reports whether AWS states its reason. KMS
// gives three alternatives for the layer key_policy. The refusals that name no user name
// no policy either.
func denialOf(flat string) (awserr.Denial, bool) {
	d, _ := awserr.ParseDenial(flat)
	if !strings.Contains(flat, "is not authorized to perform: ") {
		d.Layer, d.Side = awserr.LayerUnknown, awserr.SideUnknown
	}
	return d, d.Explicit || d.Layer != awserr.LayerUnknown && d.Layer != awserr.LayerKeyPolicy
}

// codeOfClass turns the name of an SDK's exception class into a code.
func codeOfClass(class string) string {
	for _, name := range []string{class, class + "Exception"} {
		if isKnownCode(name) {
			return name
		}
	}
	return ""
}

// maxSegment bounds the text of one error, in bytes.
const maxSegment = 16 << 10

// note fills in accounts, bucket and role from the ARNs of the text.
func (e *Error) note(flat string) {
	if m := reARN.FindStringSubmatch(e.Denial.Principal); m != nil {
		e.CallerAccount = m[3]
	}
	if m := reARN.FindStringSubmatch(e.Denial.Resource); m != nil {
		e.OwnerAccount = m[3]
		if m[1] == "iam" && strings.HasPrefix(m[4], "role/") {
			e.Role = m[0]
		}
	}
	if m := reBucket.FindStringSubmatch(flat); m != nil && (e.Service == "s3" || e.Service == "") {
		e.Bucket = m[1]
	}
	keyState := e.Denial.Action == "" && Explain(*e).Kind == KindKeyState
	if e.OwnerAccount == "" && (e.Service == "kms" || keyState) {
		for _, m := range reARN.FindAllStringSubmatch(e.Message+" "+flat, -1) {
			if m[1] == "kms" {
				e.OwnerAccount = m[3]
				break
			}
		}
	}
}
