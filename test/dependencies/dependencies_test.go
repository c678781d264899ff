package dependencies

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const page = "../../docs/dependencies.md"

// accepted are the licences that the project accepts, each with the phrases of its text. A
// file may hold several licences: the first one is that of the module.
var accepted = []struct {
	name    string
	phrases []string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
	{"MPL-2.0", []string{"Mozilla Public License", "2.0"}},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software for any purpose"}},
	{"MIT", []string{"Permission is hereby granted, free of charge", "without restriction"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "used to endorse or promote"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
}

func licenceOf(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "LICENCE") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		flat := strings.Join(strings.Fields(string(text)), " ")
		found, at := "", len(flat)
		for _, l := range accepted {
			if slices.ContainsFunc(l.phrases, func(p string) bool { return !strings.Contains(flat, p) }) {
				continue
			}
			if first := strings.Index(flat, l.phrases[0]); first < at {
				found, at = l.name, first
			}
		}
		if found != "" {
			return found, nil
		}
		return "", fmt.Errorf("%s is no licence that the project accepts", e.Name())
	}
	return "", fmt.Errorf("it has no licence file")
}

// Each module in the programs has a licence that the project accepts, and a row in the page.
func TestThePageListsEachLinkedModuleWithItsLicence(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "../../cmd/brokerd", "../../cmd/brokerctl").Output()
	if err != nil {
		t.Fatalf("listing the modules of the programs: %v", err)
	}
	var rows []string
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		module, dir, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		licence, err := licenceOf(dir)
		if err != nil {
			t.Errorf("%s: %v", module, err)
			continue
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |", module, licence))
	}
	slices.Sort(rows)
	rows = slices.Compact(rows)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			listed = append(listed, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(listed, rows) {
		t.Errorf("the table of docs/dependencies.md should be:\n%s", strings.Join(rows, "\n"))
	}
}
