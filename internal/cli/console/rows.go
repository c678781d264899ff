package console

import (
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/internal/textwrap"
)

// Rows writes names and values in two columns. On a terminal a long value continues on the
// next line, in its own column.
type Rows struct {
	w     io.Writer
	block [][2]string
	err   error
}

// NewRows returns an empty block of rows. Call Flush at the end.
func NewRows(w io.Writer) *Rows { return &Rows{w: w} }

// Add takes a name and a value, separated by a tab. A newline in front of the name begins
// a new block, with columns of its own.
func (r *Rows) Add(format string, args ...any) {
	name, value, _ := strings.Cut(fmt.Sprintf(format, args...), "\t")
	if rest, ok := strings.CutPrefix(name, "\n"); ok {
		_ = r.Flush() // kept in err
		r.write("\n")
		name = rest
	}
	r.block = append(r.block, [2]string{name, value})
}

// Flush writes the rows, and returns the first error.
func (r *Rows) Flush() error {
	left := 0
	for _, row := range r.block {
		if row[1] != "" {
			left = max(left, textwrap.Columns(row[0]))
		}
	}
	limit := Columns(r.w)
	for _, row := range r.block {
		name, value := row[0], row[1]
		if value == "" {
			r.write(name + "\n")
			continue
		}
		if limit > 0 {
			value = textwrap.Wrap(value, max(limit-left-2, 20))
		}
		for i, line := range strings.Split(value, "\n") {
			if i > 0 {
				name = ""
			}
			r.write(name + strings.Repeat(" ", left-textwrap.Columns(name)+2) + line + "\n")
		}
	}
	r.block = nil
	return r.err
}

func (r *Rows) write(text string) {
	if r.err == nil {
		_, r.err = io.WriteString(r.w, text)
	}
}
