// Package mcp is a door for agents: a server of the Model Context Protocol, over
// standard streams and over HTTP, whose tools search a commit, read its documents, list
// duplicates, clusters and commits, and tell what changed between two. With
// Config.Write there are tools that push documents and note decisions.
//
// Each tool is a row that names an endpoint of the HTTP API and the request whose tags
// declare its parameters ([service.SchemaOf]). A call becomes a request of that endpoint,
// by way of Config.API, which is the API in this process ([Local]) or that of another
// server. So a tool checks, answers and fails as the API does. Answers are cut to
// a length that an agent can read, and then say where to go on.
//
// It keeps no sessions and stores nothing.
package mcp
