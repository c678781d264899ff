package recorded

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// Answer is an answer as it was on the wire.
type Answer struct {
	Status int
	// Headers are in the order and the case that was sent.
	Headers []Header
	Body    []byte
	// Fields are the elements of an XML or JSON body by their path without the
	// root: "Code", "Owner.ID". Later elements of a name are "Contents#2.Key";
	// "#Contents" is their number. Error and XxxResult elements of the query
	// protocol are left out of the path. A JSON error has Code and Message.
	Fields map[string]string
}

// Header is a line of the head.
type Header struct{ Name, Value string }

// header finds a header; exact compares the case of the name.
func (a *Answer) header(name string, exact bool) (string, bool) {
	i := slices.IndexFunc(a.Headers, func(h Header) bool {
		return h.Name == name || !exact && strings.EqualFold(h.Name, name)
	})
	if i < 0 {
		return "", false
	}
	return a.Headers[i].Value, true
}

// readHead parses the last head in raw that is no interim answer.
func readHead(raw []byte) []Header {
	for {
		head, rest, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
		if !ok {
			return nil
		}
		lines := strings.Split(string(head), "\r\n")
		if strings.HasPrefix(lines[0], "HTTP/1.1 1") {
			raw = rest
			continue
		}
		var out []Header
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ":")
			out = append(out, Header{name, textproto.TrimString(value)})
		}
		return out
	}
}

// newAnswer reads an answer's fields.
func newAnswer(res *http.Response, raw, body []byte) *Answer {
	a := &Answer{Status: res.StatusCode, Headers: readHead(raw), Body: body, Fields: map[string]string{}}
	kind := res.Header.Get("Content-Type")
	trimmed := bytes.TrimSpace(body)
	switch {
	case strings.Contains(kind, "json"):
		a.readJSON(trimmed)
	case bytes.HasPrefix(trimmed, []byte("<")):
		if err := a.readXML(trimmed); err != nil {
			a.Fields["(unreadable)"] = err.Error()
		}
	}
	return a
}

func (a *Answer) readJSON(body []byte) {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		a.Fields["(unreadable)"] = err.Error()
		return
	}
	a.putJSON("", v)
	if code, ok := a.Fields["__type"]; ok {
		a.Fields["Code"] = code[strings.LastIndex(code, "#")+1:]
		delete(a.Fields, "__type")
	}
	if text, ok := a.Fields["message"]; ok {
		a.Fields["Message"] = text
		delete(a.Fields, "message")
	}
}

func (a *Answer) putJSON(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			a.putJSON(join(path, name), value)
		}
	case []any:
		a.Fields["#"+path] = strconv.Itoa(len(v))
		for i, value := range v {
			a.putJSON(numbered(path, i+1), value)
		}
	case nil:
		a.Fields[path] = "null"
	default:
		a.Fields[path] = fmt.Sprint(v)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func numbered(path string, n int) string {
	if n == 1 {
		return path
	}
	return fmt.Sprintf("%s#%d", path, n)
}

// readXML walks the document and notes the text of each element without children.
func (a *Answer) readXML(body []byte) error {
	type level struct {
		path  string
		text  strings.Builder
		seen  map[string]int
		inner bool
	}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var stack []*level
	var root string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			next := &level{seen: map[string]int{}}
			if len(stack) == 0 {
				root = token.Name.Local
			} else {
				parent := stack[len(stack)-1]
				parent.inner = true
				name := token.Name.Local
				if len(stack) == 1 && transparent(root, name) {
					next.path = parent.path
				} else {
					parent.seen[name]++
					path := join(parent.path, name)
					a.Fields["#"+path] = strconv.Itoa(parent.seen[name])
					next.path = numbered(path, parent.seen[name])
				}
			}
			stack = append(stack, next)
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text.Write(token)
			}
		case xml.EndElement:
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			switch {
			case last.inner:
			case last.path != "":
				a.Fields[last.path] = last.text.String()
			default:
				a.Fields["."] = last.text.String() // a document of one element
			}
		}
	}
}

// transparent reports whether an element below the root is left out of paths:
// the envelopes of the query protocol.
func transparent(root, name string) bool {
	return root == "ErrorResponse" && name == "Error" || strings.HasSuffix(root, "Response") && strings.HasSuffix(name, "Result")
}
