package sigv4

// appendRecoded appends s, percent decoded once and encoded again as UriEncode
// of "Signature Calculations for the Authorization Header" does: everything but
// A-Z a-z 0-9 - . _ ~ (and "/" if keepSlash) becomes %XX in upper case. A "+"
// stands for a space if plusIsSpace. It reports whether every escape in s is
// one.
func appendRecoded(b []byte, s string, keepSlash, plusIsSpace bool) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return nil, false
			}
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high < 0 || low < 0 {
				return nil, false
			}
			// A slash that arrives encoded is decoded as any other byte: S3 makes
			// no difference between the two, in keys as in signatures.
			b = appendByte(b, byte(high<<4|low), keepSlash)
			i += 2
		case c == '+' && plusIsSpace:
			b = append(b, "%20"...)
		default:
			b = appendByte(b, c, keepSlash)
		}
	}
	return b, true
}

func appendByte(b []byte, c byte, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	if unreserved(c) || c == '/' && keepSlash {
		return append(b, c)
	}
	return append(b, '%', digits[c>>4], digits[c&15])
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
