// Package embeddinghub is a door for programs that use Embeddinghub: its gRPC service
// featureform.embedding.proto.EmbeddingHub, as the Python package embeddinghub speaks
// it, on the port of the API. Its spaces are those of the server, of any metric,
// branch and past commit: NAME@REF wherever a name of a space is read.
//
// A write is answered when it is as durable as writes of its space are. A stream of
// writes is one commit, and one that breaks is none.
package embeddinghub
