package sandbox

import (
	"io"
	"net/http"
)

type world struct{ rootKeys map[string]Credentials }

func newWorld(Options, string) *world { return &world{} }

func (s *Sandbox) handler() http.Handler { return http.NotFoundHandler() }

func (w *world) openObject(bucket, key string) (ObjectInfo, io.ReadCloser, error) {
	return ObjectInfo{}, nil, ErrNotFound
}
func (w *world) listObjects(bucket string) []ObjectInfo      { return nil }
func (w *world) listUploads(bucket string) []MultipartUpload { return nil }
