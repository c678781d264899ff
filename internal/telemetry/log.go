package telemetry

import (
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// NewLogger writes JSON lines to w. level is debug, info, warn or error. Nothing
// is sampled: a line about lost access must not be dropped for being frequent.
// The level that it returns can be changed later.
func NewLogger(w io.Writer, level string) (*zap.Logger, zap.AtomicLevel, error) {
	parsed, err := ParseLevel(level)
	if err != nil {
		return nil, zap.AtomicLevel{}, err
	}
	lvl := zap.NewAtomicLevelAt(parsed)
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey = "time"
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(enc), zapcore.Lock(zapcore.AddSync(w)), lvl)), lvl, nil
}

// ParseLevel reads the name of a log level.
func ParseLevel(level string) (zapcore.Level, error) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return parsed, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	return parsed, nil
}
