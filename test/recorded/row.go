package recorded

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Row is one recorded answer.
type Row struct {
	// Name describes the request in words. It is unique in its operation.
	Name string
	// Given makes the state that the request meets. Each step must succeed.
	Given []Step
	// Ask is the request whose answer is compared.
	Ask Step
	// Want is AWS's answer.
	Want Want
	// Source says who states it.
	Source Source
	// Alone says why the row runs against sandboxes only; empty when it runs on AWS too.
	Alone string
}

// Operation is service and operation, for example "s3:PutObject".
func (r *Row) Operation() string { return r.Ask.operation }

// Service is the service of the operation, for example "s3".
func (r *Row) Service() string {
	service, _, _ := strings.Cut(r.Ask.operation, ":")
	return service
}

// ID is the operation and the name: the row's line in known.txt.
func (r *Row) ID() string { return r.Ask.operation + ": " + r.Name }

// token is a short form of the ID, for the names of the row's resources.
func (r *Row) token() string {
	sum := sha256.Sum256([]byte(r.ID()))
	return hex.EncodeToString(sum[:4])
}

// Local says why the row runs against sandboxes only; empty when it runs on AWS too.
func (r *Row) Local() string {
	if r.Source.Kind == Promise {
		return "a promise of the sandbox"
	}
	return r.Alone
}

// local marks a row that real accounts are not asked.
func local(r Row, why string) Row {
	r.Alone = why
	return r
}

// Kind is a kind of source.
type Kind string

// The kinds of sources.
const (
	Reference Kind = "AWS API reference"
	Guide     Kind = "AWS user guide"
	Suite     Kind = "recorded on AWS by a public suite"
	Report    Kind = "public report of an answer of AWS"
	Promise   Kind = "documentation of the sandbox"
	// Assumption is an answer for which there is no source. AWS is asked; its answer
	// settles a line of docs/unverified.md.
	Assumption Kind = "assumption of the sandbox"
)

// Source is where a row's facts come from.
type Source struct {
	Kind Kind
	// Detail is the page, the test or the report.
	Detail string
}

// String is the source in one line.
func (s Source) String() string { return fmt.Sprintf("%s: %s", s.Kind, s.Detail) }

func reference(page string) Source   { return Source{Reference, page} }
func guide(page string) Source       { return Source{Guide, page} }
func suite(test string) Source       { return Source{Suite, test} }
func report(where string) Source     { return Source{Report, where} }
func promise(what string) Source     { return Source{Promise, what} }
func assumption(where string) Source { return Source{Assumption, where} }

// All returns the rows, by area.
func All() []Row {
	return slices.Concat(
		objectRows(), encryptionRows(), versionRows(), multipartRows(), copyRows(), listRows(), tagRows(),
		lockRows(), bucketRows(), aclRows(), corsRows(), signingRows(), postRows(),
		keyRows(), cryptoRows(), roleRows(), policyRows(), userRows(), simulationRows(), sessionRows(), unmodelledRows(), assumptionRows(),
	)
}

// row makes a row. given makes the state before it.
func row(name string, ask Step, want Want, source Source, given ...Step) Row {
	return Row{Name: name, Ask: ask, Want: want, Source: source, Given: given}
}
