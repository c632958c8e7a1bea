// Package embed turns texts into vectors.
//
// Local is the model inside the binary (package minilm): nothing to install
// or to pay, no network. OpenAI speaks to api.openai.com and to every server
// with the same interface; a Guard before it knows whether it is up. All satisfy
// contract.Embedder and are used by any number of goroutines at once.
//
// A provider's success is never believed: vectors are put in order by their
// index and counted, and must have the expected length, finite values and a
// direction; they leave this package at unit length, unless the caller wants them
// as they were given. What a provider refuses
// is narrowed down to the texts at fault, what it cannot do now is tried
// again within limits, and its errors come back as contract.ErrProvider with
// what to do about them, never with a key or a text in them.
//
// Nothing here is durable, and no goroutine outlives the call that began it, but
// a Guard's, which Close ends.
package embed
