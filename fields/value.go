package fields

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

// number is an integer of 64 bits or, where that cannot hold it, a float64. Each
// has one form: a float that is such an integer is that integer.
type number struct {
	float bool
	i     int64
	f     float64
}

func intNumber(i int64) number { return number{i: i} }

func floatNumber(f float64) number {
	// The bounds are exact: ±2⁶³.
	if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
		return number{i: int64(f)}
	}
	return number{float: true, f: f}
}

// parseNumber reads a JSON number. An integer must be one of 64 bits.
func parseNumber(s string) (number, error) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return intNumber(i), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return number{}, errRange
	}
	n := floatNumber(f)
	if !strings.ContainsAny(s, ".eE") && n.text() != s {
		return number{}, errRange // it would lose digits
	}
	return n, nil
}

func (n number) append(b []byte) []byte {
	if !n.float {
		return strconv.AppendInt(b, n.i, 10)
	}
	format := byte('f')
	if a := math.Abs(n.f); a < 1e-6 || a >= 1e21 {
		format = 'e'
	}
	return strconv.AppendFloat(b, n.f, format, -1, 64)
}

func (n number) text() string { return string(n.append(nil)) }

// compareNumbers compares by value, exactly.
func compareNumbers(a, b number) int {
	switch {
	case !a.float && !b.float:
		return cmp.Compare(a.i, b.i)
	case a.float && b.float:
		return cmp.Compare(a.f, b.f)
	case a.float:
		return -compareMixed(b.i, a.f)
	}
	return compareMixed(a.i, b.f)
}

// compareMixed compares an integer and a float that is no integer of 64 bits.
func compareMixed(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	// The float is within the integers and has a fraction, so it is small
	// enough for its floor to be exact.
	if floor := int64(math.Floor(f)); i <= floor {
		return -1
	}
	return 1
}

// instant is a point of time: seconds since 1970 and nanoseconds.
type instant struct {
	sec  int64
	nano int32
}

func compareInstants(a, b instant) int {
	if c := cmp.Compare(a.sec, b.sec); c != 0 {
		return c
	}
	return cmp.Compare(a.nano, b.nano)
}

// parseDate reads a date of XML Schema or RFC 3339: 2024-01-31, perhaps with a
// time, T09:30:00, with up to nine digits of a second's fraction, and with Z or
// an offset. A date is its first moment; without an offset it is UTC. Other
// texts are no dates.
func parseDate(s string) (instant, bool) {
	if len(s) < 10 || len(s) > 48 {
		return instant{}, false
	}
	sign := 1
	rest := s
	if rest[0] == '-' {
		sign, rest = -1, rest[1:]
	}
	digits := 0
	for digits < len(rest) && isDigit(rest[digits]) {
		digits++
	}
	if digits < 4 || digits > 9 || digits > 4 && rest[0] == '0' {
		return instant{}, false
	}
	year, _ := strconv.Atoi(rest[:digits])
	rest = rest[digits:]
	month, rest, ok := part(rest, '-', 1, 12)
	if !ok {
		return instant{}, false
	}
	day, rest, ok := part(rest, '-', 1, 31)
	if !ok {
		return instant{}, false
	}
	var hour, minute, second, nano int
	if rest != "" && (rest[0] == 'T' || rest[0] == 't') {
		if hour, rest, ok = part(rest, rest[0], 0, 24); !ok {
			return instant{}, false
		}
		if minute, rest, ok = part(rest, ':', 0, 59); !ok {
			return instant{}, false
		}
		if second, rest, ok = part(rest, ':', 0, 60); !ok {
			return instant{}, false
		}
		if nano, rest, ok = fraction(rest); !ok || hour == 24 && minute+second+nano > 0 {
			return instant{}, false
		}
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return instant{}, false
	}
	t := time.Date(sign*year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	if hour < 24 && second < 60 && t.Day() != day {
		return instant{}, false // such as 31 April
	}
	return instant{t.Unix() - int64(offset), int32(t.Nanosecond())}, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// part reads a mark and two digits from lo to hi.
func part(s string, mark byte, lo, hi int) (n int, rest string, ok bool) {
	if len(s) < 3 || s[0] != mark || !isDigit(s[1]) || !isDigit(s[2]) {
		return 0, "", false
	}
	n = int(s[1]-'0')*10 + int(s[2]-'0')
	return n, s[3:], n >= lo && n <= hi
}

// fraction reads a fraction of a second in nanoseconds; none is 0.
func fraction(s string) (nano int, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	n := 1
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == 1 || n > 10 {
		return 0, "", false
	}
	nano, _ = strconv.Atoi((s[1:n] + "00000000")[:9])
	return nano, s[n:], true
}

// parseOffset reads Z, ±hh:mm or nothing, and returns seconds.
func parseOffset(s string) (int, bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hour, rest, ok := part(s, s[0], 0, 14)
	if !ok {
		return 0, false
	}
	minute, rest, ok := part(rest, ':', 0, 59)
	if !ok || rest != "" {
		return 0, false
	}
	offset := hour*3600 + minute*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}
