// Package embed turns texts into vectors.
//
// Local is the model inside the binary (package minilm): no installation, no cost,
// no network. OpenAI speaks to api.openai.com and to every server
// with the same interface; a Guard before it knows whether it is up. All satisfy
// contract.Embedder and are used by any number of goroutines at once.
//
// A provider's success is never believed: vectors are put in order by their
// index and counted, and must have the expected length, finite values and a
// direction; they leave this package at unit length, unless the caller asks for
// them as given. A refused request is narrowed down to the texts at fault, one that
// fails for the moment is repeated within limits, and errors are returned as
// contract.ErrProvider with what to do about them, never with a key or a text in
// them.
//
// Nothing here is durable, and no goroutine outlives the call that began it, but
// a Guard's, which Close ends.
package embed
