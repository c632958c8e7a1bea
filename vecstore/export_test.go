package vecstore

// Pool returns the store's pool.
func (s *Store) Pool() *Pool { return s.pool }
