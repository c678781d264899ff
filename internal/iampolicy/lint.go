package iampolicy

// Lint reports what is wrong with the document for the given use.
func (d *Document) Lint(kind Kind) []Finding { return nil }
