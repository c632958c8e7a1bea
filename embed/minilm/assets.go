package minilm

import _ "embed"

// The weights are a string, not a byte slice, so that they lie in read-only
// memory that the system can drop and read back: of the 23 MB, a process
// holds what it touches.
//
//go:embed minilm.i8
var weightsFile string

//go:embed vocab.txt
var vocabFile string

//go:embed NOTICE
var notice string

//go:embed LICENSE
var license string

// Notice returns the model's notice and its licence (Apache-2.0), which must
// accompany every copy of the binary.
func Notice() string { return notice + "\n" + license }
