package content

// ParseLine reads one operation.
var ParseLine = parseLine
