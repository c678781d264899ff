package render

import "errors"

func (w *writer) scripts() ([]File, error) { return nil, errors.New("todo") }
