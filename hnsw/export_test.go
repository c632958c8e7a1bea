package hnsw

// Layout is the format's fixed part as the code has it, for the test that holds
// FORMAT.md to it: offset and size by field name.
var Layout = map[string][2]int{
	"magic":          {0, len(magic)},
	"version":        {offVersion, 2},
	"M":              {offM, 2},
	"efConstruction": {offEf, 4},
	"layers":         {offLayers, 1},
	"reserved":       {offLayers + 1, 3},
}

const (
	HeaderSize = headerSize
	LayerSize  = layerSize
	Version    = formatVersion
)

// Check reports what is wrong with a graph that Build or Extend made: the
// invariants that Search and the format rely on.
func Check(g *Graph) (problems []string) { return check(g) }

// Short reports the nodes of such a graph that have too few links.
func Short(g *Graph) (problems []string) { return short(g) }
