package render

import (
	"strconv"
	"strings"
)

// hcl writes Terraform's language as `terraform fmt` would: two spaces a level,
// and the equals signs of lines that follow each other below each other.
type hcl struct {
	b     strings.Builder
	depth int
	run   [][2]string
}

func (h *hcl) flush() {
	width := 0
	for _, kv := range h.run {
		width = max(width, len(kv[0]))
	}
	for _, kv := range h.run {
		h.line(kv[0] + strings.Repeat(" ", width-len(kv[0])) + " = " + kv[1])
	}
	h.run = nil
}

func (h *hcl) line(s string) {
	if s != "" {
		h.b.WriteString(strings.Repeat("  ", h.depth))
	}
	h.b.WriteString(s + "\n")
}

// set writes an argument; value is an expression on one line.
func (h *hcl) set(key, value string) { h.run = append(h.run, [2]string{key, value}) }

func (h *hcl) blank() { h.flush(); h.line("") }

func (h *hcl) comment(lines ...string) {
	h.flush()
	for _, l := range lines {
		h.line("# " + l)
	}
}

// block writes header { … }.
func (h *hcl) block(header string, body func()) {
	h.flush()
	h.line(header + " {")
	h.depth++
	body()
	h.flush()
	h.depth--
	h.line("}")
}

func (h *hcl) String() string { h.flush(); return h.b.String() }

// quote writes a string; nothing in it is a template.
func quote(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(s))
}

func quoteAll(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = quote(v)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
