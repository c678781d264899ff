package s3

import (
	"crypto/md5" // S3 offers MD5 and SHA-1 as checksums; they protect nothing here.
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"
)

// checksumAlgorithms are S3's, in the order in which headers are read.
var checksumAlgorithms = []string{"CRC32", "CRC32C", "CRC64NVME", "MD5", "SHA1", "SHA256", "SHA512", "XXHASH128", "XXHASH3", "XXHASH64"}

const (
	crc64NVMEPoly = 0x9a6c9329ac4bc9b5 // reflected
	fullObject    = "FULL_OBJECT"
	composite     = "COMPOSITE"
)

var (
	crc32cTable    = crc32.MakeTable(crc32.Castagnoli)
	crc64NVMETable = crc64.MakeTable(crc64NVMEPoly)
)

func newChecksum(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32cTable)
	case "CRC64NVME":
		return crc64.New(crc64NVMETable)
	case "SHA1":
		return sha1.New()
	case "SHA256":
		return sha256.New()
	case "SHA512":
		return sha512.New()
	case "MD5":
		return md5.New()
	case "XXHASH64":
		return xxhash.New()
	case "XXHASH3":
		return xxh3.New()
	case "XXHASH128":
		return xxh3.New128()
	}
	return nil
}

// combines reports whether the checksum of a whole can be computed from those of its parts.
func combines(algorithm string) bool { return strings.HasPrefix(algorithm, "CRC") }

func checksumHeader(algorithm string) string {
	return "x-amz-checksum-" + strings.ToLower(algorithm)
}

// checksumSize is in bytes; 0 for algorithms that S3 does not have.
func checksumSize(algorithm string) int {
	if h := newChecksum(algorithm); h != nil {
		return h.Size()
	}
	return 0
}

// validChecksumText reports whether text is the base64 of a sum of the right size.
func validChecksumText(algorithm, text string) bool {
	sum, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(sum) == checksumSize(algorithm)
}

// part is the checksum and size of one part.
type summedPart struct {
	sum  string // base64
	size int64
}

// describeChecksum sets the object's checksum; none when none was computed or sent.
func (o *object) describeChecksum(in *incoming) {
	o.algorithm, o.checksumType = in.algorithm, fullObject
	if o.algorithm == "" {
		o.algorithm = defaultSum
	}
	if o.checksum = in.sum(o.algorithm); o.checksum == "" {
		o.algorithm, o.checksumType = "", ""
	}
}

// joinChecksums computes the object's checksum from its parts'. The object has none when
// one of those is missing, which happens under Options.SkipChecksums only.
func (o *object) joinChecksums(parts []summedPart) (err error) {
	if slices.ContainsFunc(parts, func(p summedPart) bool { return p.sum == "" }) {
		o.algorithm, o.checksum, o.checksumType = "", "", ""
		return nil
	}
	if o.checksumType == composite {
		o.checksum, err = compositeChecksum(o.algorithm, parts)
	} else {
		o.checksum, err = fullObjectChecksum(o.algorithm, parts)
	}
	return err
}

// compositeChecksum is the checksum of the parts' checksums, with the number of parts.
func compositeChecksum(algorithm string, parts []summedPart) (string, error) {
	h := newChecksum(algorithm)
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.sum)
		if err != nil {
			return "", fmt.Errorf("decoding a part's checksum: %w", err)
		}
		h.Write(raw)
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts)), nil
}

// fullObjectChecksum combines the parts' CRCs into the CRC of the whole.
func fullObjectChecksum(algorithm string, parts []summedPart) (string, error) {
	var poly uint64
	switch algorithm {
	case "CRC32":
		poly = crc32.IEEE
	case "CRC32C":
		poly = crc32.Castagnoli
	case "CRC64NVME":
		poly = crc64NVMEPoly
	default:
		return "", fmt.Errorf("%s has no full-object checksum", algorithm)
	}
	var total uint64
	for i, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.sum)
		if err != nil || len(raw) != checksumSize(algorithm) {
			return "", fmt.Errorf("a part's checksum is not a %s", algorithm)
		}
		var sum uint64
		if len(raw) == 4 {
			sum = uint64(binary.BigEndian.Uint32(raw))
		} else {
			sum = binary.BigEndian.Uint64(raw)
		}
		if i == 0 {
			total = sum
			continue
		}
		total = combineCRC(poly, 8*len(raw), total, sum, p.size)
	}
	out := binary.BigEndian.AppendUint64(nil, total)
	return base64.StdEncoding.EncodeToString(out[8-checksumSize(algorithm):]), nil
}

// combineCRC computes the CRC of A‖B from the CRCs of A and B: appending n zero bytes to A
// is a linear map over GF(2), applied by repeated squaring. It holds for reflected CRCs
// whose initial value equals their final XOR, as S3's do.
func combineCRC(poly uint64, width int, crcA, crcB uint64, lenB int64) uint64 {
	if lenB == 0 {
		return crcA
	}
	step := make([]uint64, width) // the map for one zero bit
	step[0] = poly
	for i := 1; i < width; i++ {
		step[i] = 1 << (i - 1)
	}
	for range 3 { // one bit to one byte
		step = squareGF2(step)
	}
	for n := lenB; n > 0; n >>= 1 {
		if n&1 == 1 {
			crcA = applyGF2(step, crcA)
		}
		step = squareGF2(step)
	}
	return crcA ^ crcB
}

func applyGF2(m []uint64, v uint64) uint64 {
	var out uint64
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 == 1 {
			out ^= m[i]
		}
	}
	return out
}

func squareGF2(m []uint64) []uint64 {
	out := make([]uint64, len(m))
	for i := range m {
		out[i] = applyGF2(m, m[i])
	}
	return out
}

// checksumXML is how S3's documents carry a checksum: one element an algorithm.
// It is embedded in all that have one.
type checksumXML struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumMD5       string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumSHA512    string `xml:",omitempty"`
	ChecksumXXHASH128 string `xml:",omitempty"`
	ChecksumXXHASH3   string `xml:",omitempty"`
	ChecksumXXHASH64  string `xml:",omitempty"`
}

// field is the element of an algorithm; nil for an unknown one.
func (x *checksumXML) field(algorithm string) *string {
	switch algorithm {
	case "CRC32":
		return &x.ChecksumCRC32
	case "CRC32C":
		return &x.ChecksumCRC32C
	case "CRC64NVME":
		return &x.ChecksumCRC64NVME
	case "MD5":
		return &x.ChecksumMD5
	case "SHA1":
		return &x.ChecksumSHA1
	case "SHA256":
		return &x.ChecksumSHA256
	case "SHA512":
		return &x.ChecksumSHA512
	case "XXHASH128":
		return &x.ChecksumXXHASH128
	case "XXHASH3":
		return &x.ChecksumXXHASH3
	case "XXHASH64":
		return &x.ChecksumXXHASH64
	}
	return nil
}

func (x *checksumXML) set(algorithm, sum string) {
	if f := x.field(algorithm); f != nil {
		*f = sum
	}
}

// any reports whether there is a checksum of any algorithm.
func (x *checksumXML) any() bool {
	return slices.ContainsFunc(checksumAlgorithms, func(a string) bool { return x.get(a) != "" })
}

func (x *checksumXML) get(algorithm string) string {
	if f := x.field(algorithm); f != nil {
		return *f
	}
	return ""
}
