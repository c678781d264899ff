package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills the configuration from the YAML tree. It is strict: unknown and
// duplicate keys and wrong types are faults. It does not stop at the first fault, and
// records the position of every value for the messages of the validator.
type decoder struct {
	file   string
	errs   Errors
	places map[string]place // by path
	faulty map[string]bool  // paths whose value could not be decoded
}

type place struct{ line, column int }

func placeOf(n ast.Node) place {
	if n == nil {
		return place{1, 1}
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return placeOf(m.Values[0])
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		return placeOf(m.Key)
	}
	tk := n.GetToken()
	if tk == nil || tk.Position == nil {
		return place{1, 1}
	}
	return place{max(1, tk.Position.Line), max(1, tk.Position.Column)}
}

func reflectValue(c *Config) reflect.Value { return reflect.ValueOf(c).Elem() }

func (d *decoder) errorAt(p place, path, message, hint string) {
	d.errs = append(d.errs, &Error{File: d.file, Line: p.line, Column: p.column, Path: path, Message: message, Hint: hint})
}

// bad reports a value that could not be decoded. The validator skips it.
func (d *decoder) bad(n ast.Node, path, message, hint string) {
	d.faulty[path] = true
	d.errorAt(placeOf(n), path, message, hint)
}

func (d *decoder) decode(n ast.Node, v reflect.Value, path string) {
	if path != "" {
		// The key's place was noted before; a scalar's own place is better.
		if _, scalar := n.(ast.ScalarNode); scalar {
			d.places[path] = placeOf(n)
		}
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		d.bad(n, path, "YAML anchors, aliases and merges are not supported", "write the value out")
		return
	case *ast.TagNode:
		d.bad(n, path, "YAML tags are not supported", "quote the value if it begins with '!'")
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, v, path)
	case reflect.Map:
		d.decodeMap(n, v, path)
	case reflect.Slice:
		d.decodeSlice(n, v, path)
	default:
		d.decodeScalar(n, v, path)
	}
}

// entries lists the pairs of a mapping; ok is false when n is none.
func entries(n ast.Node) (pairs []*ast.MappingValueNode, ok bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	case *ast.NullNode:
		return nil, true
	}
	return nil, false
}

// eachEntry calls f for every key of the mapping n, once a key.
func (d *decoder) eachEntry(n ast.Node, path string, f func(key string, at place, value ast.Node)) {
	pairs, ok := entries(n)
	if !ok {
		d.bad(n, path, "wrong type: "+describe(n)+" where a mapping belongs", "write one \"key: value\" a line, indented under "+last(path))
		return
	}
	first := map[string]place{}
	for _, pair := range pairs {
		if pair == nil || pair.Key == nil {
			continue
		}
		at := placeOf(pair.Key)
		switch pair.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		case *ast.MergeKeyNode:
			d.errorAt(at, path, "YAML anchors, aliases and merges are not supported", "write the value out")
			continue
		default:
			d.errorAt(at, path, "this key is not plain text", "write it as \"key: value\"")
			continue
		}
		key := pair.Key.GetToken().Value
		if s, isString := pair.Key.(*ast.StringNode); isString {
			key = s.Value
		}
		if p, dup := first[key]; dup {
			d.errorAt(at, join(path, key), "this key is given twice", fmt.Sprintf("it was first given in line %d; keep one of them", p.line))
			continue
		}
		first[key] = at
		value := pair.Value
		if value == nil {
			value = ast.Null(pair.Key.GetToken())
		}
		f(key, at, value)
	}
}

func (d *decoder) decodeStruct(n ast.Node, v reflect.Value, path string) {
	fields := yamlFields(v.Type())
	d.eachEntry(n, path, func(key string, at place, value ast.Node) {
		i, known := fields[key]
		if !known {
			d.errorAt(at, join(path, key), "unknown key", unknownKeyHint(v.Type(), key))
			return
		}
		d.places[join(path, key)] = at
		d.decode(value, v.Field(i), join(path, key))
	})
}

func yamlFields(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = i
		}
	}
	return fields
}

// unknownKeyHint also looks one section further down: external_id is known, but
// belongs into session.
func unknownKeyHint(t reflect.Type, key string) string {
	fields := yamlFields(t)
	names := make([]string, 0, len(fields))
	for name, i := range fields {
		names = append(names, name)
		if ft := t.Field(i).Type; ft.Kind() == reflect.Struct {
			if _, below := yamlFields(ft)[key]; below {
				return "did you mean " + name + "." + key + "? It belongs under " + name
			}
		}
	}
	return didYouMean(key, "keys here", names)
}

func (d *decoder) decodeMap(n ast.Node, v reflect.Value, path string) {
	m := reflect.MakeMap(v.Type())
	d.eachEntry(n, path, func(key string, at place, value ast.Node) {
		below := join(path, key)
		d.places[below] = at
		e := reflect.New(v.Type().Elem()).Elem()
		if e.Type() == reflect.TypeFor[*Destination]() {
			dest := newDestination(key)
			dest.Line = at.line
			e.Set(reflect.ValueOf(dest))
		}
		d.decode(value, e, below)
		m.SetMapIndex(reflect.ValueOf(key), e)
	})
	v.Set(m)
}

func (d *decoder) decodeSlice(n ast.Node, v reflect.Value, path string) {
	if _, empty := n.(*ast.NullNode); empty {
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.bad(n, path, "wrong type: "+describe(n)+" where a list belongs", "write it as a list: [a, b]")
		return
	}
	s := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		below := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			item = ast.Null(seq.GetToken())
		}
		d.places[below] = placeOf(item)
		if rule, isRule := s.Index(i).Addr().Interface().(*Rule); isRule {
			rule.Line = placeOf(item).line
		}
		if hop, isHop := s.Index(i).Addr().Interface().(*Hop); isHop {
			*hop = newHop()
		}
		if watch, isWatch := s.Index(i).Addr().Interface().(*Watch); isWatch {
			*watch = newWatch()
			watch.Line = placeOf(item).line
		}
		d.decode(item, s.Index(i), below)
	}
	v.Set(s)
}

func (d *decoder) decodeScalar(n ast.Node, v reflect.Value, path string) {
	text, isText, ok := scalarText(n)
	wrong := func(want, hint string) {
		d.bad(n, path, "wrong type: "+describe(n)+" where "+want+" belongs", hint)
	}
	switch p := v.Addr().Interface().(type) {
	case *Duration:
		if !ok {
			wrong("a duration", durationHint)
			return
		}
		parsed, err := parseDuration(text)
		if err != nil {
			d.bad(n, path, fmt.Sprintf("%q %v", text, err), durationHint)
			return
		}
		*p = parsed
	case *Size:
		if !ok {
			wrong("a size", sizeHint)
			return
		}
		parsed, err := parseSize(text)
		if err != nil {
			d.bad(n, path, fmt.Sprintf("%q %v", text, err), sizeHint)
			return
		}
		*p = parsed
	case *FileMode:
		if !ok {
			wrong("a mode", modeHint)
			return
		}
		parsed, err := parseFileMode(text)
		if err != nil {
			d.bad(n, path, fmt.Sprintf("%q %v", text, err), modeHint)
			return
		}
		*p = parsed
	case *bool:
		b, isBool := n.(*ast.BoolNode)
		if !isBool {
			wrong("true or false", "write true or false, without quotes")
			return
		}
		*p = b.Value
	case *int:
		if _, isInt := n.(*ast.IntegerNode); !isInt {
			wrong("a whole number", "write digits, without quotes")
			return
		}
		parsed, err := strconv.Atoi(text)
		if err != nil {
			d.bad(n, path, fmt.Sprintf("%q is not a whole decimal number", text), "write digits only")
			return
		}
		*p = parsed
	default: // string and Permission
		if !ok || (!isText && !digitsOnly(text)) {
			hint := "write text"
			if _, isBool := n.(*ast.BoolNode); isBool || ok {
				hint = fmt.Sprintf("write it in quotes: %q", text)
			}
			wrong("text", hint)
			return
		}
		v.SetString(text)
	}
}

const (
	durationHint = "write a number with a unit: 30s, 15m, 1h"
	sizeHint     = "write a number of bytes, or one with a unit: 8MiB, 48MiB, 5TiB"
	modeHint     = "write it in octal with a leading zero: \"0660\""
)

// scalarText returns the text of a scalar as it is written in the file: an account
// keeps its leading zero, and a mode stays octal.
func scalarText(n ast.Node) (text string, isText, ok bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true, true
	case *ast.LiteralNode:
		if s.Value == nil {
			return "", true, true
		}
		return s.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	}
	return "", false, false
}

// digitsOnly reports whether a bare number may be used as text (a user id, an account)
// without a loss.
func digitsOnly(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true/false"
	case *ast.NullNode:
		return "nothing"
	}
	return "something else"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func last(path string) string {
	if path == "" {
		return "nothing"
	}
	return path
}
