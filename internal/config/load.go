package config

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds the input of the parser: a configuration is small, and the
// parser's stack grows with the nesting of its input.
const maxFile = 1 << 20

// Load reads and validates the configuration file at path. An error is an
// Errors value.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Errors{{File: path, Message: "cannot open the configuration: " + cause(err), Hint: "name the file with --config", Err: err}}
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, Errors{{File: path, Message: "cannot read the configuration: " + cause(err), Err: err}}
	}
	return Parse(path, data)
}

func cause(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// Parse validates data, the content of the file at path. An error is an Errors
// value that lists every fault found, in the order of their lines.
func Parse(path string, data []byte) (*Config, error) {
	d := &decoder{file: path, places: map[string]place{}, faulty: map[string]bool{}}
	body, err := parseYAML(path, data)
	if err != nil {
		return nil, Errors{err}
	}
	c := newConfig()
	c.Path = path
	if body != nil {
		d.decode(body, reflectValue(c), "")
	}
	v := &validator{decoder: d, cfg: c}
	v.config()
	if len(d.errs) > 0 {
		d.errs.sort()
		return nil, d.errs
	}
	c.spreadEndpointKinds()
	return c, nil
}

// parseYAML returns the body of the only document; nil when it is empty.
func parseYAML(path string, data []byte) (body ast.Node, fault *Error) {
	if len(data) > maxFile {
		return nil, &Error{File: path, Message: fmt.Sprintf("the configuration is larger than %v", Size(maxFile)), Hint: "is it the right file?"}
	}
	if line, column, problem := misshapen(data); problem != "" {
		return nil, &Error{File: path, Line: line, Column: column, Message: problem, Hint: "is it the right file?"}
	}
	// The parser is a library that has panicked on hostile input before. A reload must
	// not end the daemon.
	defer func() {
		if r := recover(); r != nil {
			body, fault = nil, &Error{
				File:    path,
				Line:    1,
				Column:  1,
				Message: fmt.Sprintf("not YAML: the parser failed: %v", r),
				Hint:    "check indentation and quotes",
			}
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		e := &Error{File: path, Line: 1, Column: 1, Message: "not YAML: " + err.Error(), Hint: "check indentation, quotes and colons", Err: err}
		var ye yaml.Error
		if errors.As(err, &ye) {
			e.Message = "not YAML: " + ye.GetMessage()
			if tk := ye.GetToken(); tk != nil && tk.Position != nil {
				e.Line, e.Column = max(1, tk.Position.Line), max(1, tk.Position.Column)
			}
		}
		return nil, e
	}
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		if body != nil {
			p := placeOf(doc.Body)
			return nil, &Error{
				File:    path,
				Line:    p.line,
				Column:  p.column,
				Message: "a second YAML document",
				Hint:    "one file holds one configuration; remove the --- line",
			}
		}
		body = doc.Body
	}
	return body, nil
}
