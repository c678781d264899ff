package cli

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// pickFile copies the largest readable system log to d.file, or generates one.
// It copies because a log may grow while it is uploaded.
func (d *demo) pickFile() (source string, err error) {
	const limit = 64 << 20
	d.name = "generated.log"
	var size int64
	paths, _ := filepath.Glob("/var/log/*")
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() || info.Size() <= size || info.Size() > limit {
			continue
		}
		if f, err := os.Open(p); err == nil {
			_ = f.Close()
			source, size = p, info.Size()
		}
	}
	in := io.LimitReader(lineReader{}, 12<<20)
	if source == "" {
		source = "a generated log"
	} else {
		f, err := os.Open(source)
		if err != nil {
			return "", fmt.Errorf("opening %s: %w", source, err)
		}
		defer func() { _ = f.Close() }()
		in, d.name = io.LimitReader(f, limit), filepath.Base(source)
	}
	d.file = filepath.Join(d.dir, "upload")
	out, err := os.OpenFile(d.file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("copying %s: %w", source, err)
	}
	sum := newCRC()
	d.size, err = io.Copy(io.MultiWriter(out, sum), in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", fmt.Errorf("copying %s: %w", source, err)
	}
	d.crc = crcText(sum)
	return source, nil
}

// lineReader is an endless log; the same line repeats.
type lineReader struct{}

func (lineReader) Read(p []byte) (int, error) {
	const line = "2026-01-01T00:00:00Z app[42]: a line of a generated log\n"
	for i := range p {
		p[i] = line[i%len(line)]
	}
	return len(p), nil
}

func newCRC() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

func crcText(h hash.Hash32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, h.Sum32()))
}
