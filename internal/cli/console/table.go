package console

import (
	"bufio"
	"io"
	"strings"

	"github.com/brokerd/brokerd/internal/textwrap"
)

// PageRows is the number of rows that are measured before they are written.
const PageRows = 200

// Table writes a table of any length, a page at a time. A column keeps the largest width
// of the earlier pages. Memory holds one page. The last column is not padded.
//
// On a terminal a row that is too wide continues on a second line from the column Fold on,
// and the cells of Shrink are cut, with "…" at their end.
type Table struct {
	Head   func(...any) string         // paints the heading; nil: as it is
	Paint  map[int]func(string) string // paints a padded cell, by column
	Fold   int                         // the first column of the second line; 0: none
	Shrink []int                       // columns that may be cut, one for each line
	Limit  int                         // the columns of the terminal; 0: none

	w      io.Writer
	widths []int
	rows   [][]string
	top    bool // the first row is the heading
}

// NewTable returns a table with a heading.
func NewTable(w io.Writer, heading ...string) *Table {
	return &Table{
		Paint: make(
			map[int]func(string) string,
		), w: w, Limit: Columns(w), widths: make([]int, len(heading)), rows: [][]string{heading}, top: true,
	}
}

// Add takes a row with a cell for each column.
func (t *Table) Add(cells ...string) error {
	t.rows = append(t.rows, cells)
	if len(t.rows) < PageRows {
		return nil
	}
	return t.Flush()
}

// Flush writes the buffered rows; it does not write a heading without rows.
func (t *Table) Flush() error {
	if t.top && len(t.rows) == 1 {
		return nil
	}
	for _, row := range t.rows {
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], textwrap.Columns(cell))
		}
	}
	lines := [][2]int{{0, len(t.widths)}}
	if t.Fold > 0 && t.Limit > 0 && t.width(lines[0]) > t.Limit {
		lines = [][2]int{{0, t.Fold}, {t.Fold, len(t.widths)}}
	}
	out := bufio.NewWriter(t.w)
	for n, row := range t.rows {
		for _, span := range lines {
			_, _ = out.WriteString(t.line(row, span, t.top && n == 0) + "\n") // Flush has the error
		}
	}
	t.rows, t.top = t.rows[:0], false
	return out.Flush()
}

// width returns the columns that the cells of a span need.
func (t *Table) width(span [2]int) int {
	sum := 2 * (span[1] - span[0] - 1)
	if span[0] > 0 {
		sum += 2
	}
	for _, w := range t.widths[span[0]:span[1]] {
		sum += w
	}
	return sum
}

func (t *Table) line(row []string, span [2]int, heading bool) string {
	var b strings.Builder
	over := 0
	if t.Limit > 0 {
		over = max(0, t.width(span)-t.Limit)
	}
	if span[0] > 0 {
		b.WriteString("  ")
	}
	for i := span[0]; i < span[1]; i++ {
		cell, width := row[i], t.widths[i]
		for _, s := range t.Shrink {
			if s == i {
				width = max(width-over, 4)
				cell = textwrap.Cut(cell, width)
			}
		}
		if i < span[1]-1 {
			cell += strings.Repeat(" ", max(0, width-textwrap.Columns(cell)))
		}
		if paint := t.Paint[i]; paint != nil && !heading {
			cell = paint(cell)
		}
		if i > span[0] {
			b.WriteString("  ")
		}
		b.WriteString(cell)
	}
	if heading && t.Head != nil {
		return t.Head(b.String())
	}
	return b.String()
}
