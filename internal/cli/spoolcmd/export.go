package spoolcmd

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func spoolExport(a *console.App) *cobra.Command {
	var file string
	var force bool
	var out console.Format
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: "Write one object's bytes to a file, checked against their checksum",
		Long: `Write one object's bytes to a file; the object stays in the spool. The file gets its
name when all bytes are there, match the checksum of the upload, and are synced to
disk. After an error there is no file.

Without -f the file is named by the id, in the current directory: the sender chose the
object's name, which may not be safe as a path. An existing file is replaced only with
--force.

"-" is standard output. A script must then check the exit code before it uses the
output.`,
		Example: `  brokerctl spool export 01KAW3P5E2M9W7V5C1J0X8T4RQ -f report.csv
  brokerctl spool export 01KAW3P5E2M9W7V5C1J0X8T4RQ -f - | sha256sum`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := uploadIDs(args)
			if err != nil {
				return err
			}
			if file == "" {
				file = ids[0]
			}
			var t *exportFile
			if file != "-" {
				if t, err = newExportFile(file, force); err != nil {
					return err
				}
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			o, err := oneSpooled(cmd.Context(), c, ids[0])
			if err != nil {
				return err
			}
			if t == nil {
				if err := export(cmd.Context(), c, o, a.Out); err != nil {
					return err
				}
				return exported(a.Err, o, "-", out)
			}
			if err := t.write(func(w io.Writer) error { return export(cmd.Context(), c, o, w) }); err != nil {
				return err
			}
			return exported(a.Out, o, file, out)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file to write; - is standard output (default: the id)")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that exists")
	console.FileFlags(cmd, "file")
	console.OutputFlag(cmd, &out)
	return cmd
}

// exported reports a verified export.
func exported(w io.Writer, o Spooled, file string, out console.Format) error {
	if out == console.FormatJSON {
		return json.NewEncoder(w).Encode(struct {
			UploadID string `json:"upload_id"`
			File     string `json:"file"`
			Size     uint64 `json:"size"`
			CRC32C   string `json:"checksum_crc32c"`
		}{o.UploadID, file, o.Size, o.CRC32C})
	}
	target := ""
	if file != "-" {
		target = " -> " + file
	}
	_, err := fmt.Fprintf(w, "%s%s (%s, CRC32C %s verified)\n", o.UploadID, target, console.BytesText(int64(o.Size)), o.CRC32C)
	return err
}

// export copies the bytes of o to w. It fails when they differ from the accepted ones.
func export(ctx context.Context, c *client.Client, o Spooled, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Admin().ExportSpool(ctx, &brokerdv1.ExportSpoolRequest{UploadId: o.UploadID})
	if err != nil {
		return c.FromError(err)
	}
	sum, n := crc32.New(crc32.MakeTable(crc32.Castagnoli)), uint64(0)
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<18)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			// The bytes before the damage stay readable.
			return errors.Join(c.FromError(err), out.Flush())
		}
		n += uint64(len(m.GetChunk()))
		if _, err := out.Write(m.GetChunk()); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	got := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	if n != o.Size || got != o.CRC32C {
		return fmt.Errorf(
			"%s came as %d bytes with CRC32C %s, and is %d bytes with %s: what was written is not the object",
			o.UploadID,
			n,
			got,
			o.Size,
			o.CRC32C,
		)
	}
	return nil
}

// exportFile is a file that is written atomically.
type exportFile struct {
	path  string
	force bool
}

// newExportFile returns an error when the file could not be written in the end.
func newExportFile(path string, force bool) (*exportFile, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &exportFile{path, force}, nil
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: say -f FILE", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file: it is not replaced; -f - writes to standard output", path)
	case !force:
		return nil, fmt.Errorf("%s exists: --force replaces it", path)
	}
	return &exportFile{path, force}, nil
}

// write calls fill with a temporary file, syncs it, and renames it.
func (e *exportFile) write(fill func(io.Writer) error) (err error) {
	dir := filepath.Dir(e.path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(e.path)+".*.part") // readable by this user only
	if err != nil {
		return fmt.Errorf("making the file for %s: %w", e.path, err)
	}
	defer func() {
		_ = f.Close()
		if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := e.name(f.Name()); err != nil {
		return err
	}
	// The next step may be to drop the object: the name has to last as well.
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// name gives the finished file its name. A link refuses a file that has come
// meanwhile; a rename would replace it.
func (e *exportFile) name(temporary string) error {
	if e.force {
		return os.Rename(temporary, e.path)
	}
	err := os.Link(temporary, e.path)
	if err == nil {
		return nil
	}
	if _, serr := os.Lstat(e.path); !errors.Is(serr, fs.ErrNotExist) {
		return fmt.Errorf("%s exists: --force replaces it", e.path)
	}
	return os.Rename(temporary, e.path) // a file system without links
}
