package recorded

import (
	"context"
	"reflect"
	"regexp"
)

// variable is $NAME.
var variable = regexp.MustCompile(`\$[A-Z][A-Z0-9_]*`)

// expand replaces the variables in a text. A variable that is made on demand, such
// as $BUCKET, is made here.
func (r *run) expand(ctx context.Context, text string) (string, error) {
	var failed error
	out := variable.ReplaceAllStringFunc(text, func(name string) string {
		value, err := r.value(ctx, name[1:])
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	return out, failed
}

// expandKnown replaces the variables that the run has by now.
func (r *run) expandKnown(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := r.vars[name[1:]]; ok {
			return value
		}
		return name
	})
}

// expandInput returns a copy of an SDK input in which all texts are expanded. The
// rows of the table are shared, so that the input itself stays as it is.
func (r *run) expandInput(ctx context.Context, in reflect.Value) (reflect.Value, error) {
	switch in.Kind() {
	case reflect.String:
		text, err := r.expand(ctx, in.String())
		out := reflect.New(in.Type()).Elem()
		out.SetString(text)
		return out, err
	case reflect.Pointer:
		if in.IsNil() {
			return in, nil
		}
		inner, err := r.expandInput(ctx, in.Elem())
		out := reflect.New(in.Type().Elem())
		out.Elem().Set(inner)
		return out, err
	case reflect.Slice:
		if in.IsNil() || in.Type().Elem().Kind() == reflect.Uint8 {
			return in, nil
		}
		out := reflect.MakeSlice(in.Type(), in.Len(), in.Len())
		for i := range in.Len() {
			inner, err := r.expandInput(ctx, in.Index(i))
			if err != nil {
				return in, err
			}
			out.Index(i).Set(inner)
		}
		return out, nil
	case reflect.Map:
		if in.IsNil() {
			return in, nil
		}
		out := reflect.MakeMapWithSize(in.Type(), in.Len())
		for _, key := range in.MapKeys() {
			inner, err := r.expandInput(ctx, in.MapIndex(key))
			if err != nil {
				return in, err
			}
			out.SetMapIndex(key, inner)
		}
		return out, nil
	case reflect.Struct:
		out := reflect.New(in.Type()).Elem()
		out.Set(in)
		for i := range in.NumField() {
			if !in.Type().Field(i).IsExported() {
				continue
			}
			inner, err := r.expandInput(ctx, in.Field(i))
			if err != nil {
				return in, err
			}
			out.Field(i).Set(inner)
		}
		return out, nil
	}
	return in, nil
}
