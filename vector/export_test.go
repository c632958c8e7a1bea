package vector

// Kernels returns the implementations that the machine runs, the best first.
func Kernels() []string {
	var names []string
	for _, k := range available() {
		names = append(names, k.String())
	}
	return names
}

// Use has all functions use an implementation until restore is called.
func Use(name string) (restore func()) {
	before := best
	for _, k := range available() {
		if k.String() == name {
			best = k
		}
	}
	return func() { best = before }
}
