package sandbox

import (
	"crypto/sha1" // S3 offers SHA-1 as a checksum; it protects nothing here.
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// checksumAlgorithms are S3's, in the order in which headers are looked for.
var checksumAlgorithms = []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}

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
	}
	return nil
}

func checksumHeader(algorithm string) string {
	return "x-amz-checksum-" + strings.ToLower(algorithm)
}

func checksumSize(algorithm string) int {
	switch algorithm {
	case "CRC32", "CRC32C":
		return 4
	case "CRC64NVME":
		return 8
	case "SHA1":
		return sha1.Size
	case "SHA256":
		return sha256.Size
	}
	return 0
}

// validChecksumText reports whether text is the base64 of a sum of the right size.
func validChecksumText(algorithm, text string) bool {
	sum, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(sum) == checksumSize(algorithm)
}

// part is what combining needs to know of one part.
type summedPart struct {
	sum  string // base64
	size int64
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

// combineCRC gives the CRC of A‖B from the CRCs of A and B: appending n zero
// bytes to A is a linear map over GF(2), applied by repeated squaring. It holds
// for reflected CRCs whose initial value equals their final XOR, as all of S3's.
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
