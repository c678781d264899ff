package secret_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brokerd/brokerd/internal/secret"
)

func TestNoFormatPrintsASecret(t *testing.T) {
	s := secret.New("hush")
	type holder struct {
		Key   secret.String
		Map   map[string]secret.String
		inner secret.String
	}
	h := holder{s, map[string]secret.String{"k": s}, s}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		texts = append(texts, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s))
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		texts = append(texts, fmt.Sprintf(verb, h), fmt.Sprintf(verb, &h))
	}
	for _, v := range []any{s, h} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	type element struct{ Key secret.String }
	text, err := xml.Marshal(element{s})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	zap.New(core).Info("m", zap.Any("s", s), zap.Stringer("t", s), zap.Reflect("h", h))
	line, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{}).EncodeEntry(logs.All()[0].Entry, logs.All()[0].Context)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range append(texts, string(text), line.String()) {
		if strings.Contains(got, "hush") || strings.Contains(got, fmt.Sprintf("%x", "hush")) {
			t.Errorf("printed: %s", got)
		}
	}
	if s.Reveal() != "hush" || s.Empty() || !secret.New("").Empty() {
		t.Error("Reveal or Empty is wrong")
	}
}
