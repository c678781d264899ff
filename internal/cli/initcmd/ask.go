package initcmd

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"
)

// errBack is the answer "<": the question before is asked again.
var errBack = errors.New("back")

// collect returns every answer: from a flag, from the terminal, or the default.
func (i *Initiation) collect(ctx context.Context) error {
	s := &i.Answers
	if err := i.checkGiven(); err != nil {
		return err
	}
	if i.asks {
		return i.dialogue(ctx, 0)
	}
	var missing []string
	for _, q := range s.questions() {
		switch usual := q.usually(); {
		case *q.value != "" || q.skipped():
		case usual == "" && !q.optional:
			missing = append(missing, "--"+q.flag)
		default:
			*q.value = usual
		}
	}
	if len(missing) > 0 {
		return console.UsageError(fmt.Errorf("missing: %s; give them, or run this on a terminal to be asked", strings.Join(missing, ", ")))
	}
	for _, q := range s.questions() {
		if q.skipped() {
			continue
		}
		if err := s.check(q); err != nil {
			return console.UsageError(fmt.Errorf("--%s: %w", q.flag, err))
		}
	}
	return nil
}

// checkGiven checks the flags before the first question. A flag that repeats the value
// of the file is accepted, so that a call can be repeated.
func (i *Initiation) checkGiven() error {
	s := &i.Answers
	for _, q := range s.questions() {
		switch {
		case *q.value == "":
		case q.refused() && q.inFile != "" && s.same(q):
			*q.value = ""
		case q.refused() && q.inFile != "":
			return console.UsageError(
				fmt.Errorf(
					"--%s %s: the file says %s for all its destinations; leave the flag out, or change setup.runs_as in the file",
					q.flag,
					*q.value,
					q.inFile,
				),
			)
		case q.refused() && q.flag == "external-id":
			return console.UsageError(errors.New("--external-id: AssumeRoleWithWebIdentity does not take one"))
		case q.refused():
			return console.UsageError(fmt.Errorf("--%s is of no use with %s", q.flag, i.refusal()))
		case q.known != nil && q.known():
		default:
			if err := s.check(q); err != nil {
				return console.UsageError(fmt.Errorf("--%s: %w", q.flag, err))
			}
			i.given = append(i.given, q.flag)
		}
	}
	return nil
}

// same reports whether a flag has the file's value. Roles and users may be given by name.
func (s *answers) same(q question) bool {
	return *q.value == q.inFile || strings.HasSuffix(q.inFile, "/"+strings.TrimPrefix(*q.value, "/"))
}

func (i *Initiation) refusal() string {
	if i.Answers.runsAs == "" && i.Answers.File != nil {
		return "this file, whose setup.runs_as says who the daemon runs as"
	}
	return "--runs-as " + i.Answers.runsAs
}

// dialogue asks for all answers that no flag gave, from the question with index
// from on. "<" goes back. Answers survive an interruption.
func (i *Initiation) dialogue(ctx context.Context, from int) error {
	saved := loadAnswers(i.Path)
	if from == 0 {
		if _, err := io.WriteString(i.Err, "Return takes the answer in brackets, ? explains, < goes back.\n"); err != nil {
			return err
		}
	}
	at := from
	for at < len(i.Answers.questions()) {
		q := i.Answers.questions()[at] // again each time: it depends on the answers before
		if slices.Contains(i.given, q.flag) || q.skipped() {
			at++
			continue
		}
		usual := cmp.Or(*q.value, saved[q.flag], q.usually())
		switch err := i.ask(ctx, q, usual); {
		case errors.Is(err, errBack):
			at = i.before(at)
		case err != nil:
			if kerr := i.keep(); kerr != nil {
				return errors.Join(err, kerr)
			}
			return fmt.Errorf("%w; the answers are kept, and the next `brokerctl init` for this file offers them", err)
		default:
			at++
		}
	}
	return nil
}

// before returns the index of the previous question, or at when there is none.
func (i *Initiation) before(at int) int {
	for b := at - 1; b >= 0; b-- {
		if q := i.Answers.questions()[b]; !slices.Contains(i.given, q.flag) && !q.skipped() {
			return b
		}
	}
	return at
}

// ask repeats its question until the answer can stand in a configuration.
func (i *Initiation) ask(ctx context.Context, q question, usual string) error {
	p := i.Palette(i.Err)
	doubted := "" // an answer that is taken when it is given a second time
	for {
		prompt := p.Bold(q.ask)
		if usual != "" {
			prompt += " [" + usual + "]"
		}
		if _, err := io.WriteString(i.Err, prompt+": "); err != nil {
			return err
		}
		line, err := i.lines.next(ctx)
		switch {
		case err != nil:
			return err
		case line == "<":
			return errBack
		case line == "?":
			if _, err := fmt.Fprintln(i.Err, console.Fit(i.Err, "  "+strings.ReplaceAll(q.explain, "\n", "\n  "))); err != nil {
				return err
			}
			continue
		case line == "":
			line = usual
		}
		if line == "" && !q.optional {
			continue
		}
		was := *q.value
		*q.value = line
		fault := i.Answers.check(q)
		if fault == nil && q.flag == "user" && line != doubted {
			if text := unknownUser(line); text != "" {
				fault, doubted = errors.New(text+"; the same answer again takes it all the same"), line
			}
		}
		if fault == nil {
			return nil
		}
		*q.value = was
		if _, err := fmt.Fprintln(i.Err, console.Fit(i.Err, fmt.Sprintf("  %s %v", p.Bad("✗"), fault))); err != nil {
			return err
		}
	}
}

// agree shows the lines to be written and asks for a yes. It returns errBack for "<".
func (i *Initiation) agree(ctx context.Context, old, text []byte) error {
	p := i.Palette(i.Err)
	var b strings.Builder
	b.WriteString("\n")
	for _, line := range linesAdded(string(old), string(text)) {
		b.WriteString(p.Good("+ "+line) + "\n")
	}
	fmt.Fprintf(&b, "\nWrite this to %s? (yes, no, or < to go back) [yes] ", i.Path)
	if _, err := io.WriteString(i.Err, b.String()); err != nil {
		return err
	}
	line, err := i.lines.next(ctx)
	if err != nil {
		return err
	}
	switch strings.ToLower(line) {
	case "", "y", "yes":
		return nil
	case "<":
		return errBack
	}
	if err := i.keep(); err != nil {
		return err
	}
	return errors.New("nothing was written; the answers are kept, and the next `brokerctl init` for this file offers them")
}

// linesAdded are the lines of now that old does not have. Lines were only added.
func linesAdded(old, now string) []string {
	var out, before []string
	if old != "" {
		before = strings.Split(old, "\n")
	}
	for _, line := range strings.Split(strings.TrimSuffix(now, "\n"), "\n") {
		if len(before) > 0 && before[0] == line {
			before = before[1:]
			continue
		}
		out = append(out, line)
	}
	return out
}

// answerReader reads a terminal line by line, until its context ends. A read cannot be
// interrupted; it ends with the program.
type answerReader struct{ in *bufio.Reader }

func newAnswers(in io.Reader) *answerReader { return &answerReader{bufio.NewReader(in)} }

func (l *answerReader) next(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := l.in.ReadString('\n')
		if err != nil && line != "" {
			err = nil
		}
		read <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case a := <-read:
		if a.err != nil {
			return "", fmt.Errorf("standard input ended, nothing was written: %w", a.err)
		}
		return a.line, nil
	case <-ctx.Done():
		return "", &console.ExitError{Code: console.ExitSignal, Err: errors.New("interrupted: nothing was written")}
	}
}
