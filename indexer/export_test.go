package indexer

// Merging returns the number of merges that were asked for and are not done.
func (ix *Indexer) Merging() int { return int(ix.merging.Load()) }
