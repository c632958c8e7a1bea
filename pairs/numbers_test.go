package pairs

import "testing"

// TestDifference: numbers and codes are compared by what they say, not by how they
// are written.
func TestDifference(t *testing.T) {
	for _, c := range []struct {
		a, b                   string
		numbers, words, typing bool
	}{
		{"Drill K8864X 18 V", "drill k8864x, 18V", false, false, false},
		{"Drill K8864X 18 V", "Drill K8864Y 18 V", true, false, false},
		{"Drill AB-12 red", "drill ab12 RED", false, false, false},
		{"Drill ABC 120 red", "Drill ABC120 red", false, false, false},
		{"Lamp CGD 2801 white", "Lamp UGD 2801 white", true, false, false}, // a code's letters
		{"Kettle 2.0 l, 1,299.00", "kettle 2 l, 1299", false, false, false},
		{"Kettle 2.0l", "Kettle 2.0 l", false, false, false},
		{"Kettle 0.5l", "Kettle 0.5 l", false, false, false},
		{"Kettle 1.5 l", "Kettle 2.5 l", true, false, false},
		{"price 12.50", "price 12,5", false, false, false},
		{"born 1986-04-23", "born 23.04.1986", false, false, false},
		{"born 1986-04-23", "born 04/23/1986", false, false, false},
		{"born 1986-04-23", "born 19860423", false, false, false},
		{"born 1986-04-23", "born 23 April 1986", false, false, false},
		{"born 1986-04-23", "born April 23, 1986", false, false, false},
		{"born 1986-04-23", "born 1986-04-24", true, false, false},
		{"phone 0812 7424074", "phone +44 812/7424074", false, false, false},
		{"phone (0812) 742 4074", "phone 08127424074", false, false, false},
		{"phone 0812 7424074", "phone 0812 7424075", true, false, false},
		{"a red lamp, 40 W", "a red lamp", false, false, false}, // missing in one
		{"Ann Smith 40", "Ann Smyth 41", true, true, true},
		{"Ann Smith 40", "Ann Jones 41", true, true, false},
		{"Grün 7", "Grun 7", false, false, false},
		{"", "7", false, false, false},
	} {
		d := newRecord(c.a).compare(newRecord(c.b), func(string) bool { return true })
		if d.numbers != c.numbers || d.words != c.words || d.typing != c.typing {
			t.Errorf("%q, %q: %+v", c.a, c.b, d)
		}
		if back := newRecord(c.b).compare(newRecord(c.a), func(string) bool { return true }); back != d {
			t.Errorf("%q, %q: %+v one way, %+v the other", c.a, c.b, d, back)
		}
	}
}

// FuzzRecord: no text makes taking it apart fail.
func FuzzRecord(f *testing.F) {
	f.Add("1986-04-23 AB-12, é7", "7,")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := newRecord(a), newRecord(b)
		if d := x.compare(y, func(string) bool { return true }); d != y.compare(x, func(string) bool { return true }) {
			t.Errorf("%q, %q: not the same both ways", a, b)
		}
		if d := x.compare(newRecord(a), func(string) bool { return true }); d.numbers || d.words {
			t.Errorf("%q differs from itself: %+v", a, d)
		}
	})
}
