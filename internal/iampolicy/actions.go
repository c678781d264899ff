package iampolicy

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed actions.txt
var actionsText string

// actionTable knows the actions of s3, kms, sts and iam.
type actionTable struct {
	names    map[string]string // lower case → as AWS writes it
	services map[string]bool
	instead  map[string]string // operation that is no action, in lower case → its action
}

var knownActions = sync.OnceValue(func() actionTable { return readActions(actionsText) })

func readActions(text string) actionTable {
	t := actionTable{names: make(map[string]string), services: make(map[string]bool), instead: make(map[string]string)}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, _, _ := strings.Cut(line, " ")
		service, _, _ := strings.Cut(name, ":")
		t.services[service] = true
		if _, action, ok := strings.Cut(line, " > "); ok {
			t.instead[strings.ToLower(name)] = service + ":" + action
			continue
		}
		t.names[strings.ToLower(name)] = name
	}
	return t
}

// unknown reports whether an action, or a pattern of actions, of a known service matches
// no action. better is the action that was probably meant, or "".
func (t actionTable) unknown(action string) (better string, unknown bool) {
	lower := strings.ToLower(action)
	service, _, _ := strings.Cut(lower, ":")
	if !t.services[service] || t.names[lower] != "" {
		return "", false
	}
	if strings.ContainsAny(lower, "*?") {
		pattern := compileGlob(lower)
		for name := range t.names {
			if glob(pattern, name) {
				return "", false
			}
		}
		return "", true
	}
	if better = t.instead[lower]; better != "" {
		return better, true
	}
	return t.nearest(lower), true
}

// maxTypos is the largest edit distance at which a name is suggested.
const maxTypos = 3

// nearest returns the action with the smallest edit distance, or "" if none is near.
func (t actionTable) nearest(lower string) string {
	best, distance := "", maxTypos+1
	for name, written := range t.names {
		if len(name) < len(lower)-maxTypos || len(name) > len(lower)+maxTypos {
			continue
		}
		if d := editDistance(lower, name); d < distance || d == distance && written < best {
			best, distance = written, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of two strings.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
