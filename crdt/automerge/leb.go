package automerge

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

var (
	errLEBShort    = errors.New("number is cut off")
	errLEBOverlong = errors.New("number is longer than it needs to be")
	errLEBRange    = errors.New("number does not fit 64 bits")
)

// readUleb reads an unsigned LEB128 at s[pos:] and returns it with the position after it. Overlong forms are refused, as
// the official engine refuses them: one number, one spelling.
func readUleb(s string, pos int) (uint64, int, error) {
	if pos < len(s) && s[pos] < 0x80 {
		return uint64(s[pos]), pos + 1, nil
	}
	var v uint64
	for i := 0; ; i++ {
		if pos+i >= len(s) {
			return 0, pos, errLEBShort
		}
		b := s[pos+i]
		if i == 9 && b > 1 {
			return 0, pos, errLEBRange
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 && i > 0 {
				return 0, pos, errLEBOverlong
			}
			return v, pos + i + 1, nil
		}
	}
}

// readLeb reads a signed LEB128; the rules of readUleb hold.
func readLeb(s string, pos int) (int64, int, error) {
	var v int64
	for i := 0; ; i++ {
		if pos+i >= len(s) {
			return 0, pos, errLEBShort
		}
		b := s[pos+i]
		if i == 9 && b != 0 && b != 0x7f {
			return 0, pos, errLEBRange
		}
		v |= int64(b&0x7f) << (7 * i)
		if b >= 0x80 {
			continue
		}
		if i < 9 && b&0x40 != 0 {
			v |= -1 << (7 * (i + 1))
		}
		if i > 0 {
			// The last group must say something that the sign of the group before it does not.
			prev := s[pos+i-1] & 0x40
			if b == 0 && prev == 0 || b == 0x7f && prev != 0 {
				return 0, pos, errLEBOverlong
			}
		}
		return v, pos + i + 1, nil
	}
}

func appendUleb(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

func appendLeb(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}

func ulebLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func lebLen(v int64) int {
	// A signed number needs one bit more than its magnitude.
	return bits.Len64(uint64(v^(v>>63)))/7 + 1
}
