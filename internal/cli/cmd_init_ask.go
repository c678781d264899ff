package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// collect gets every answer: from flags, from a terminal, or the usual one.
func (i *initiation) collect(ctx context.Context) error {
	s := &i.answers
	questions := s.questions()
	// What was given is looked at before anybody is asked for the rest.
	for _, q := range questions {
		if *q.value == "" || q.skipped() {
			continue
		}
		if err := s.check(q); err != nil {
			return usageError(fmt.Errorf("--%s: %w", q.flag, err))
		}
	}
	var missing []string
	for _, q := range questions {
		usual := ""
		if q.usual != nil {
			usual = q.usual()
		}
		switch {
		case *q.value != "" && q.refused() && q.flag == "external-id":
			return usageError(errors.New("--external-id: AssumeRoleWithWebIdentity does not take one"))
		case *q.value != "" && q.refused():
			return usageError(fmt.Errorf("--%s is of no use with %s", q.flag, i.refusal()))
		case *q.value != "" || q.skipped():
		case i.asks:
			if err := i.ask(ctx, q, usual); err != nil {
				return err
			}
		case usual == "" && !q.optional:
			missing = append(missing, "--"+q.flag)
		default:
			*q.value = usual
		}
	}
	if len(missing) > 0 {
		return usageError(fmt.Errorf("missing: %s; give them, or run this on a terminal to be asked", strings.Join(missing, ", ")))
	}
	for _, q := range questions {
		if q.skipped() {
			continue
		}
		if err := s.check(q); err != nil {
			return usageError(fmt.Errorf("--%s: %w", q.flag, err))
		}
	}
	return nil
}

func (i *initiation) refusal() string {
	if i.answers.runsAs == "" && i.answers.file != nil {
		return "this file, whose setup.runs_as says who the daemon runs as"
	}
	return "--runs-as " + i.answers.runsAs
}

// ask repeats its question until the answer can stand in a configuration.
func (i *initiation) ask(ctx context.Context, q question, usual string) error {
	p := paletteFor(i.Err)
	for {
		prompt := p.bold(q.ask)
		if usual != "" {
			prompt += " [" + usual + "]"
		}
		if _, err := io.WriteString(i.Err, prompt+": "); err != nil {
			return err
		}
		line, err := i.lines.next(ctx)
		if err != nil {
			return err
		}
		if line == "" {
			line = usual
		}
		if line == "" && !q.optional {
			continue
		}
		*q.value = line
		fault := i.answers.check(q)
		if fault == nil {
			return nil
		}
		*q.value = ""
		if _, err := fmt.Fprintf(i.Err, "  %s %v\n", p.bad("✗"), fault); err != nil {
			return err
		}
	}
}

// agree shows what is to be written and asks for a yes.
func (i *initiation) agree(ctx context.Context, old, text []byte) error {
	p := paletteFor(i.Err)
	var b strings.Builder
	b.WriteString("\n")
	for _, line := range linesAdded(string(old), string(text)) {
		b.WriteString(p.good("+ "+line) + "\n")
	}
	fmt.Fprintf(&b, "\nWrite this to %s? [Y/n] ", i.path)
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
	}
	return errors.New("nothing was written")
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

// answerReader reads a terminal line by line, and gives up with its context:
// reading itself cannot be interrupted. The program ends after that, and the
// reading with it.
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
			return "", fmt.Errorf("the answers ended: nothing was written: %w", a.err)
		}
		return a.line, nil
	case <-ctx.Done():
		return "", &exitError{exitSignal, errors.New("interrupted; nothing was written")}
	}
}
