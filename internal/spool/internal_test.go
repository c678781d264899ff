package spool

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestUnsafeFileSystemsAreNamed(t *testing.T) {
	for magic, name := range map[uint64]string{0x01021994: "tmpfs", 0x6969: "NFS", 0xff534d42: "CIFS", 0x65735546: "FUSE",
		0x794c7630: "overlayfs", 0x61756673: "aufs", 0x786f4256: "vboxsf"} {
		if e := checkFileSystem("/x", magic); e == nil || e.FileSystem != name || e.Why == "" {
			t.Errorf("%x: %v", magic, e)
		}
	}
	for _, magic := range []uint64{0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0} { // ext4, xfs, btrfs, zfs, unknown
		if e := checkFileSystem("/x", magic); e != nil {
			t.Errorf("%x: %v", magic, e)
		}
	}
}

func FuzzFooter(f *testing.F) {
	foot := footer{header: Header{ID: ulid.ULID{1}.String(), Destination: "d", PartSize: minSegment, Received: time.Unix(1, 0).UTC()},
		size: 3, crc: 7, segments: []uint32{7}}
	text, err := foot.encode()
	if err != nil {
		f.Fatal(err)
	}
	whole := append([]byte("abc"), text...)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(make([]byte, trailerSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFooter(bytes.NewReader(b), int64(len(b)), foot.header.ID)
		var corrupt *CorruptError
		if err != nil {
			if !errors.As(err, &corrupt) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := got.encode()
		if err != nil || got.size+int64(len(again)) > int64(len(b))+maxHeader {
			t.Fatalf("%v", err)
		}
		back, err := readFooter(bytes.NewReader(append(make([]byte, got.size), again...)), got.size+int64(len(again)), foot.header.ID)
		if err != nil || !reflect.DeepEqual(back.segments, got.segments) || back.crc != got.crc {
			t.Fatalf("it does not survive: %v", err)
		}
	})
}

func FuzzJournal(f *testing.F) {
	var text []byte
	for _, m := range []journalLine{{Upload: "u", PartSize: 5}, {Part: 2, ETag: "b", CRC32C: 1}, {Part: 1, ETag: "a"}} {
		l, err := line(m)
		if err != nil {
			f.Fatal(err)
		}
		text = append(text, l...)
	}
	f.Add(text)
	f.Add(text[:len(text)-3])
	f.Add(append([]byte("junk\n\n"), text...))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := readProgress(b)
		if p.upload == "" && len(p.parts) > 0 {
			t.Fatal("parts of no upload")
		}
		for i, part := range p.parts {
			if part.number <= 0 || i > 0 && p.parts[i-1].number >= part.number {
				t.Fatalf("parts are not in order: %v", p.parts)
			}
		}
		// Whatever stands before it, a line that is appended is read.
		l, _ := line(journalLine{Upload: "new", PartSize: 1})
		if p := readProgress(append(append(b, '\n'), l...)); p.upload != "new" {
			t.Fatal("an appended line was lost")
		}
	})
}

func FuzzReceipt(f *testing.F) {
	l, err := line(&receipt{ID: ulid.ULID{1}.String(), Result: []byte(`{"a":1}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l)
	f.Add(l[:len(l)-2])
	f.Fuzz(func(t *testing.T, b []byte) {
		var r receipt
		if !parseLine(b, &r) {
			return
		}
		again, err := line(&r)
		var back receipt
		if err != nil || !parseLine(again, &back) || back.ID != r.ID {
			t.Fatalf("it does not survive: %v", err)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	f.Add("a", "b", uint32(1), "ab", "", uint32(1))
	f.Add("logs", "k", uint32(1), "logs", "k", uint32(2))
	f.Fuzz(func(t *testing.T, d1, k1 string, u1 uint32, d2, k2 string, u2 uint32) {
		a, b := Header{Destination: d1, IdempotencyKey: k1, UID: u1}, Header{Destination: d2, IdempotencyKey: k2, UID: u2}
		same := d1 == d2 && k1 == k2 && u1 == u2 || k1 == "" && k2 == ""
		if (a.idem() == b.idem()) != same {
			t.Fatalf("%+v and %+v: same %v", a, b, same)
		}
	})
}

// A queued object costs memory whatever its size: about 200 bytes with a key.
func TestMemoryOfAQueuedObjectIsSmall(t *testing.T) {
	const n = 100_000
	x := newIndex(nil)
	heapNow := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heapNow()
	for i := range n {
		id := ulid.ULID{byte(i), byte(i >> 8), byte(i >> 16)}
		h := Header{ID: id.String(), Destination: "d", UID: uint32(i % 10), IdempotencyKey: id.String(), PartSize: minSegment}
		x.found(id, &footer{header: h, size: 1}, Queued)
	}
	each := int64(heapNow()-before) / n
	t.Logf("%d bytes an object, with an idempotency key", each)
	if each > 400 {
		t.Errorf("%d bytes an object", each)
	}
	runtime.KeepAlive(x)
}
