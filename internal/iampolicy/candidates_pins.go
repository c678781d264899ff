package iampolicy

import (
	"slices"
	"strings"
)

// pinAll binds every key that the documents mention and the request carries.
func (b *allowBuilder) pinAll() {
	for _, p := range b.f.pins(func(string) bool { return true }) {
		lower := strings.ToLower(p.key)
		if weak := (lower == "aws:securetransport" || lower == "aws:multifactorauthpresent") && !strings.EqualFold(p.values[0], "true"); !b.has(
			p.key,
		) &&
			!weak {
			b.pin(p.key, p.values)
		}
	}
	_, state := b.f.ctx.lookup("aws:securetransport")
	if state == keyAbsent && b.f.mentions("aws:securetransport") && !b.has("aws:SecureTransport") {
		b.bind("BoolIfExists", "aws:SecureTransport", "true")
	}
}

type pinned struct {
	key    string
	values []string
}

// mentioned visits the condition keys of all documents.
func (f *fixer) mentioned(visit func(key string)) {
	p := &f.sc.Policies
	for _, l := range layers {
		levels := 1
		switch l {
		case LayerSCP:
			levels = len(p.ServiceControl)
		case LayerRCP:
			levels = len(p.ResourceControl)
		}
		for level := range levels {
			for _, d := range p.documents(l, level) {
				for i := range d.Len() {
					for j := range d.statements[i].conditions {
						visit(d.statements[i].conditions[j].key)
					}
				}
			}
		}
	}
}

func (f *fixer) mentions(lower string) bool {
	found := false
	f.mentioned(func(key string) { found = found || strings.EqualFold(key, lower) })
	return found
}

// pins are the keys that documents mention and the request carries. With one
// header of encryption all of them count.
func (f *fixer) pins(wanted func(lower string) bool) []pinned {
	var out []pinned
	add := func(key string) {
		lower := strings.ToLower(key)
		if timeKey(key) || !wanted(lower) || strings.HasPrefix(lower, "aws:principal") && !strings.HasPrefix(lower, "aws:principaltag/") {
			return
		}
		if slices.ContainsFunc(out, func(p pinned) bool { return sameKey(p.key, key) }) {
			return
		}
		if v, state := f.ctx.lookup(lookupKey(key)); state == keyPresent && len(v) > 0 {
			out = append(out, pinned{key, v})
		}
	}
	encryption := false
	f.mentioned(func(key string) {
		add(key)
		encryption = encryption || strings.HasPrefix(strings.ToLower(key), encryptionHeader)
	})
	if encryption {
		for _, suffix := range [...]string{"", "-aws-kms-key-id"} {
			add(encryptionHeader + suffix)
		}
	}
	return out
}
