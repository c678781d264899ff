// Package filltest fills values for tests of saved state: a test saves and restores a
// value in which every field is set, and so finds a field that is not saved.
package filltest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"
)

// T is the part of testing.T that the package needs.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Filler sets every field of a value, unexported fields included, to something that is
// not its zero value.
type Filler struct {
	t    T
	n    int
	made map[reflect.Type]func() any
}

// New returns a filler. given are the values that it uses for their types.
func New(t T, given ...any) *Filler {
	f := &Filler{t: t, made: map[reflect.Type]func() any{}}
	for _, v := range given {
		f.made[reflect.TypeOf(v)] = func() any { return v }
	}
	return f
}

// Use makes the filler call give for each value of type V.
func Use[V any](f *Filler, give func() V) {
	f.made[reflect.TypeFor[V]()] = func() any { return give() }
}

// Text returns a text that it did not return before.
func (f *Filler) Text() string {
	f.n++
	return fmt.Sprintf("text-%d", f.n)
}

// Fill sets the value that v points to.
func (f *Filler) Fill(v any) { f.fill(reflect.ValueOf(v).Elem()) }

// Filled returns a pointer to a filled value.
func Filled[V any](f *Filler) *V {
	v := new(V)
	f.Fill(v)
	return v
}

func (f *Filler) fill(v reflect.Value) {
	if give := f.made[v.Type()]; give != nil {
		v.Set(reflect.ValueOf(give()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.Text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		f.n++
		v.SetInt(int64(f.n))
	case reflect.Uint64, reflect.Uint8:
		f.n++
		v.SetUint(uint64(f.n % 250))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			f.fill(reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem())
		}
	default:
		f.t.Fatalf("no way to fill a %s", v.Type())
	}
}

// Whole fails the test when a field of the struct that v points to has its zero value.
func Whole(t T, v any) {
	t.Helper()
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		if s.Field(i).IsZero() {
			t.Errorf("the test leaves %s.%s empty", s.Type(), s.Type().Field(i).Name)
		}
	}
}

// Through sends a saved value through JSON and restores it.
func Through[S, V any](t T, saved S, restore func(S) (V, error)) V {
	t.Helper()
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	var read S
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	v, err := restore(read)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
