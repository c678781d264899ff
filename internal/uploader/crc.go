package uploader

// joinCRC returns the CRC32C of two pieces, one after the other. The second has n
// bytes: the first is extended by n zero bytes, which multiplies its polynomial by
// x^(8n).
func joinCRC(first, second uint32, n int64) uint32 {
	return crcMultiply(crcPower(uint64(n)*8), first) ^ second
}

// castagnoliReversed is the polynomial, in the order of bits of hash/crc32.
const castagnoliReversed = 0x82f63b78

// crcMultiply multiplies two polynomials, modulo the CRC's polynomial.
func crcMultiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1) << 31; a != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
			a ^= bit
		}
		if b&1 != 0 {
			b = b>>1 ^ castagnoliReversed
		} else {
			b >>= 1
		}
	}
	return product
}

// crcPower returns x^n, modulo the CRC's polynomial.
func crcPower(n uint64) uint32 {
	power, square := uint32(1)<<31, uint32(1)<<30 // x^0 and x^1
	for ; n != 0; n >>= 1 {
		if n&1 != 0 {
			power = crcMultiply(square, power)
		}
		square = crcMultiply(square, square)
	}
	return power
}
