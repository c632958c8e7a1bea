// Package service holds what every door to vectorlink needs, whatever protocol
// it speaks: the [Service] itself, which answers requests from the snapshots of a
// data directory and writes to it where it has a writer; the [Params] of a
// request, read as its struct declares them; [Access], [Keys] and [Limiter], which say
// who may ask, what and how often, and the [Caller] of a request; names of domains with what they refer to ([GraphSpec]);
// the codec of operations ([OpReader]) and of vectors; and what is read and sent over
// HTTP alike.
package service
