package iam

import "testing"

func TestPositionsCountAsAWSDoes(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		line, column int // of the statement's brace, from 1
		start, end   positionXML
	}{
		"one line":          {`{"Statement":{"a":1}}`, 1, 14, positionXML{1, 15}, positionXML{1, 21}},
		"several lines":     {"{\n \"Statement\": {\n  \"a\": 1\n }\n}", 2, 15, positionXML{2, 16}, positionXML{4, 3}},
		"an unknown text":   {"", 1, 38, positionXML{1, 39}, positionXML{1, 39}},
		"outside the text":  {`{}`, 7, 1, positionXML{7, 2}, positionXML{7, 2}},
		"no JSON from here": {`{"a":1}`, 1, 3, positionXML{1, 4}, positionXML{1, 4}},
	} {
		start, end := positions(c.text, c.line, c.column)
		if start != c.start || end != c.end {
			t.Errorf("%s: got %v to %v, want %v to %v", name, start, end, c.start, c.end)
		}
	}
}
