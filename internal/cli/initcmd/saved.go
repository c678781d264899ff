package initcmd

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/cli/console"
)

// savedAnswers are the answers of a dialogue that did not end with a file. The
// next dialogue for the same file offers them. The external id is not among them.
type savedAnswers struct {
	File    string            `json:"file"`
	Answers map[string]string `json:"answers"` // by flag
}

func savedAnswersPath() string {
	return filepath.Join(console.StateDir(), "brokerd", "init-answers.json")
}

// loadAnswers returns the saved answers for a file; an empty map when there are none.
func loadAnswers(file string) map[string]string {
	var saved savedAnswers
	text, err := os.ReadFile(savedAnswersPath())
	if err != nil || json.Unmarshal(text, &saved) != nil || saved.File != absolute(file) || saved.Answers == nil {
		return map[string]string{}
	}
	return saved.Answers
}

// keep saves the answers given so far.
func (i *Initiation) keep() error {
	saved := savedAnswers{File: absolute(i.Path), Answers: map[string]string{}}
	for _, q := range i.Answers.questions() {
		if *q.value != "" && q.flag != "external-id" {
			saved.Answers[q.flag] = *q.value
		}
	}
	text, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	path := savedAnswersPath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// forgetAnswers removes saved answers, if there are any.
func forgetAnswers() { _ = os.Remove(savedAnswersPath()) }

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
