package edit

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// insertion is text that goes before the byte at offset.
type insertion struct {
	offset int
	text   string
}

// insert puts everything in its place. Of two insertions at one place the first
// given comes first.
func insert(data []byte, ins []insertion) []byte {
	sorted := slices.Clone(ins)
	slices.SortStableFunc(sorted, func(a, b insertion) int { return a.offset - b.offset })
	var out bytes.Buffer
	at := 0
	for _, in := range sorted {
		out.Write(data[at:in.offset])
		out.WriteString(in.text)
		at = in.offset
	}
	out.Write(data[at:])
	return out.Bytes()
}

// page is a configuration file as text and as a tree.
type page struct {
	data    []byte
	newline string
	starts  []int // offset of every line, and of the end
	root    ast.Node
}

// open reads a text that config.Parse has accepted, which bounds the parser's input.
func open(data []byte) (p *page, ok bool) {
	defer func() {
		if recover() != nil { // the parser's, as in config
			p, ok = nil, false
		}
	}()
	// The parser counts the end of a comment's line twice where it is \r\n. Lines
	// and columns are the same without the \r.
	file, err := parser.ParseBytes(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, false
	}
	p = &page{data: data, newline: "\n"}
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		p.newline = "\r\n"
	}
	p.starts = append(p.starts, 0)
	for i, b := range data {
		if b == '\n' {
			p.starts = append(p.starts, i+1)
		}
	}
	if p.starts[len(p.starts)-1] != len(data) {
		p.starts = append(p.starts, len(data))
	}
	for _, doc := range file.Docs {
		if doc != nil && doc.Body != nil {
			p.root = doc.Body
		}
	}
	return p, true
}

// line is a line's text by its index, without its end.
func (p *page) line(i int) string {
	return strings.TrimRight(string(p.data[p.starts[i]:p.starts[i+1]]), "\r\n")
}

func (p *page) lines() int { return len(p.starts) - 1 }

// below finds the value of a key of the mapping n, and the key.
func below(n ast.Node, key string) (*ast.MappingValueNode, bool) {
	for _, pair := range pairsOf(n) {
		if pair != nil && pair.Key != nil && keyText(pair) == key {
			return pair, true
		}
	}
	return nil, false
}

func keyText(pair *ast.MappingValueNode) string {
	if s, ok := pair.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return pair.Key.GetToken().Value
}

func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

// spot is where a token stands: line and column from 0, the column in bytes.
func (p *page) spot(tk *token.Token) (line, column int, ok bool) {
	if tk == nil || tk.Position == nil || tk.Position.Line < 1 || tk.Position.Line > p.lines() {
		return 0, 0, false
	}
	line = tk.Position.Line - 1
	text := p.data[p.starts[line]:p.starts[line+1]]
	for range tk.Position.Column - 1 {
		_, size := utf8.DecodeRune(text[column:])
		if column += size; size == 0 {
			return 0, 0, false
		}
	}
	return line, column, true
}

// afterLine is the offset behind a line, and the text that has to come first there: the
// last line of a file may have no end.
func (p *page) afterLine(i int) (offset int, before string) {
	offset = p.starts[i+1]
	if offset > 0 && p.data[offset-1] != '\n' {
		before = p.newline
	}
	return offset, before
}

// lastOf is the last line that belongs to what begins at line first with this
// indentation: lines that are indented further, and the empty ones between them.
func (p *page) lastOf(first, indent int) int {
	last := first
	for i := first + 1; i < p.lines(); i++ {
		text := p.line(i)
		trimmed := strings.TrimLeft(text, " ")
		if trimmed == "" {
			continue
		}
		if len(text)-len(trimmed) <= indent {
			break
		}
		last = i
	}
	return last
}

// addition is what goes below a key of the root: one more entry of a mapping or
// one more item of a list.
type addition struct {
	section string
	name    string // key of the entry; empty: an item
	value   node
}

func (a addition) lines(indent int) []string {
	if a.name == "" {
		return a.value.item(indent)
	}
	return mapping(entry{key: a.name, value: a.value}).lines(indent)
}

func (a addition) flow() string {
	if a.name == "" {
		return a.value.flow()
	}
	return entry{key: a.name, value: a.value}.flow()
}

// whole is the section with nothing else in it.
func (a addition) whole() entry {
	if a.name == "" {
		return entry{key: a.section, value: list(a.value)}
	}
	return entry{key: a.section, value: mapping(entry{key: a.name, value: a.value})}
}

// places lists where an addition could go, the finest place first. That a place
// is listed does not mean that it is right: what comes of it is compared.
func (p *page) places(a addition) []insertion {
	if section, ok := below(p.root, a.section); ok {
		return p.inSection(section, a)
	}
	return p.newSection(a)
}

func (p *page) block(offset int, before string, lines []string) insertion {
	return insertion{offset, before + strings.Join(lines, p.newline) + p.newline}
}

func (p *page) inSection(section *ast.MappingValueNode, a addition) []insertion {
	keyLine, keyColumn, ok := p.spot(section.Key.GetToken())
	if !ok {
		return nil
	}
	var first, last *token.Token // where the first and the last entry or item begin
	var bracket *token.Token
	empty := false
	switch v := section.Value.(type) {
	case *ast.MappingNode:
		if v.IsFlowStyle {
			bracket, empty = v.Start, len(v.Values) == 0
		} else if len(v.Values) > 0 {
			first, last = v.Values[0].Key.GetToken(), v.Values[len(v.Values)-1].Key.GetToken()
		}
	case *ast.MappingValueNode:
		first, last = v.Key.GetToken(), v.Key.GetToken()
	case *ast.SequenceNode:
		if v.IsFlowStyle {
			bracket, empty = v.Start, len(v.Values) == 0
		} else {
			first, last = beginning(v, 0), beginning(v, len(v.Values)-1)
		}
	case *ast.NullNode, nil:
		offset, before := p.afterLine(keyLine)
		return []insertion{p.block(offset, before, a.lines(keyColumn+2))}
	}
	if bracket != nil {
		return p.inBrackets(bracket, empty, a)
	}
	firstLine, indent, ok := p.spot(first)
	lastLine, _, alsoOK := p.spot(last)
	if !ok || !alsoOK {
		return nil
	}
	if a.name == "" {
		firstLine, indent = p.dash(firstLine)
		lastLine, _ = p.dash(lastLine)
	}
	if firstLine <= keyLine || indent < 0 || strings.Trim(p.line(firstLine)[:indent], " ") != "" {
		return nil
	}
	end, before := p.afterLine(p.lastOf(lastLine, indent))
	top, _ := p.afterLine(keyLine)
	return []insertion{p.block(end, before, a.lines(indent)), p.block(top, "", a.lines(indent))}
}

// beginning is the first token of an item of a list.
func beginning(s *ast.SequenceNode, i int) *token.Token {
	if i < 0 || i >= len(s.Values) || s.Values[i] == nil {
		return nil
	}
	n := s.Values[i]
	if m, isMapping := n.(*ast.MappingNode); isMapping && m.IsFlowStyle {
		return m.Start
	}
	if pairs := pairsOf(n); len(pairs) > 0 && pairs[0] != nil {
		return pairs[0].Key.GetToken()
	}
	return n.GetToken()
}

// dash is where the item that begins in a line has its dash: in this line, or in
// one above that has nothing else.
func (p *page) dash(line int) (at, column int) {
	for i := line; i >= 0; i-- {
		text := strings.TrimLeft(p.line(i), " ")
		switch {
		case strings.HasPrefix(text, "-"):
			return i, len(p.line(i)) - len(text)
		case i < line && text != "" && text[0] != '#':
			return 0, -1
		}
	}
	return 0, -1
}

func (p *page) inBrackets(bracket *token.Token, empty bool, a addition) []insertion {
	line, column, ok := p.spot(bracket)
	if !ok {
		return nil
	}
	offset := p.starts[line] + column
	if offset >= len(p.data) || (p.data[offset] != '{' && p.data[offset] != '[') {
		return nil
	}
	text := a.flow()
	if !empty {
		text += ", "
	}
	return []insertion{{offset + 1, text}}
}

func (p *page) newSection(a addition) []insertion {
	if m, ok := p.root.(*ast.MappingNode); ok && m.IsFlowStyle {
		line, column, ok := p.spot(m.Start)
		if !ok {
			return nil
		}
		text := a.whole().flow()
		if len(m.Values) > 0 {
			text += ", "
		}
		return []insertion{{p.starts[line] + column + 1, text}}
	}
	pairs := pairsOf(p.root)
	if len(pairs) == 0 {
		return nil
	}
	line, indent, ok := p.spot(pairs[0].Key.GetToken())
	if !ok || strings.Trim(p.line(line)[:indent], " ") != "" {
		return nil
	}
	lines := mapping(a.whole()).lines(indent)
	end, before := p.afterLine(p.lines() - 1)
	return []insertion{p.block(end, before, lines), p.block(p.starts[line], "", lines)}
}
