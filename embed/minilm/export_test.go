package minilm

// AllKernels returns a model for each implementation that this machine runs,
// the best first and the portable one last.
func AllKernels() ([]*Model, error) {
	m, err := Load()
	if err != nil {
		return nil, err
	}
	var all []*Model
	for _, k := range available() {
		all = append(all, newModel(m.weights, m.tokenizer, m.words, k))
	}
	return all, nil
}

// LoadAnew does what Load does the first time.
func LoadAnew() error {
	_, err := loadAnew()
	return err
}
