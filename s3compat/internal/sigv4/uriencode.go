package sigv4

// encode is UriEncode of "Signature Calculations for the Authorization Header":
// everything but A-Z a-z 0-9 - . _ ~ (and "/" if keepSlash) becomes %XX in
// upper case.
//
// A slash that arrived encoded has been decoded as any other byte: S3 makes no
// difference between the two, in keys as in signatures.
func encode(s string, keepSlash bool) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		if c := s[i]; unreserved(c) || c == '/' && keepSlash {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
