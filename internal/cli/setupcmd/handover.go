package setupcmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/handover"
	"github.com/brokerd/brokerd/internal/setup/render"
)

// writeHandOvers writes two files for each account that was not reached: the
// message for its administrator, and the script that applies it. They go by mail.
func writeHandOvers(dir string, r *arrangement, p *setup.Plan) ([]string, error) {
	var files []string
	write := func(name string, mode os.FileMode, data []byte) error {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the directory for the hand-over: %w", err)
		}
		if err := os.WriteFile(path, data, mode); err != nil {
			return fmt.Errorf("writing the hand-over: %w", err)
		}
		files = append(files, path)
		return nil
	}
	for _, id := range p.Unreached {
		base := "brokerd-handover-" + id
		script, err := handOverScript(id, r, p)
		if err != nil {
			return nil, err
		}
		request := handover.Request{Account: id, State: r.state, Plan: p, Config: filepath.Base(r.cfg.Path)}
		if script != nil {
			request.Script = base + ".sh"
			if err := write(request.Script, 0o755, script); err != nil {
				return nil, err
			}
		}
		text, err := handover.Text(request)
		if err != nil {
			return nil, err
		}
		if err := write(base+".md", 0o644, []byte(text)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// handOverScript is the account's script of `setup render -o cli`, or the one that
// removes; nil when the account holds no part.
func handOverScript(id string, r *arrangement, p *setup.Plan) ([]byte, error) {
	if p.Remove {
		return render.Removal(r.state, id, p.Destinations)
	}
	rendered, err := render.Render(render.CLI, r.state, render.Both)
	if err != nil {
		return nil, err
	}
	for _, f := range rendered {
		if bytes.Contains(f.Data, []byte("\naccount '"+id+"'\n")) {
			return f.Data, nil
		}
	}
	return nil, nil
}
