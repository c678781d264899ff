package spoolcmd

import (
	"bufio"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// PageRows is the number of rows that are measured before they are written.
const PageRows = 200

// columns writes a table of any length, a page at a time. A column keeps the largest
// width of the earlier pages. Memory holds one page. The last column is not padded.
type columns struct {
	w      io.Writer
	now    time.Time
	head   func(...any) string         // paints the heading; nil: as it is
	paint  map[int]func(string) string // paints a padded cell, by column
	widths []int
	rows   [][]string
	top    bool // the first row is the heading
}

func newColumns(w io.Writer, now time.Time, heading ...string) *columns {
	return &columns{
		w:      w,
		now:    now,
		paint:  make(map[int]func(string) string),
		widths: make([]int, len(heading)),
		rows:   [][]string{heading},
		top:    true,
	}
}

// add takes a row with a cell for each column.
func (c *columns) add(cells ...string) error {
	c.rows = append(c.rows, cells)
	if len(c.rows) < PageRows {
		return nil
	}
	return c.flush()
}

// flush writes the buffered rows; it does not write a heading without rows.
func (c *columns) flush() error {
	if c.top && len(c.rows) == 1 {
		return nil
	}
	for _, row := range c.rows {
		for i, cell := range row {
			c.widths[i] = max(c.widths[i], utf8.RuneCountInString(cell))
		}
	}
	out := bufio.NewWriter(c.w)
	for n, row := range c.rows {
		_, _ = out.WriteString(c.line(row, c.top && n == 0)) // Flush has the error
		_ = out.WriteByte('\n')
	}
	c.rows, c.top = c.rows[:0], false
	return out.Flush()
}

func (c *columns) line(row []string, heading bool) string {
	var b strings.Builder
	for i, cell := range row {
		if i < len(row)-1 {
			cell += strings.Repeat(" ", c.widths[i]-utf8.RuneCountInString(cell))
		}
		if paint := c.paint[i]; paint != nil && !heading {
			cell = paint(cell)
		}
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(cell)
	}
	if heading && c.head != nil {
		return c.head(b.String())
	}
	return b.String()
}
