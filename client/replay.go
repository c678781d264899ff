package client

import "io"

const defaultReplay = 1 << 20

// replay is a body that can be read again from its start: by seeking if the reader can
// seek, else while everything that was read fits into a buffer.
type replay struct {
	r      io.Reader
	seeker io.Seeker // nil: r cannot seek
	start  int64

	kept  []byte
	most  int
	spilt bool // more was read than is kept
	at    int  // in kept
}

func newReplay(r io.Reader, most int) *replay {
	p := &replay{r: r, most: most}
	if s, ok := r.(io.Seeker); ok {
		// A pipe is an *os.File too, and cannot seek.
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			p.seeker, p.start = s, at
		}
	}
	return p
}

// again reports whether rewind can succeed.
func (p *replay) again() bool { return p.seeker != nil || !p.spilt }

func (p *replay) rewind() error {
	p.at = 0
	if p.seeker == nil {
		return nil
	}
	_, err := p.seeker.Seek(p.start, io.SeekStart)
	return err
}

// Read implements io.Reader.
func (p *replay) Read(dst []byte) (int, error) {
	if p.seeker != nil {
		return p.r.Read(dst)
	}
	if p.at < len(p.kept) {
		n := copy(dst, p.kept[p.at:])
		p.at += n
		return n, nil
	}
	n, err := p.r.Read(dst)
	switch {
	case p.spilt:
	case len(p.kept)+n > p.most:
		p.spilt, p.kept, p.at = true, nil, 0
	default:
		p.kept = append(p.kept, dst[:n]...)
		p.at = len(p.kept)
	}
	return n, err
}
