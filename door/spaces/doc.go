// Package spaces answers for spaces over HTTP: /spaces and what is below it, as
// docs/spaces.md has it. It is thin over package space: it decodes, bounds and encodes.
package spaces
