package hnsw

// Description says what a graph is made of.
type Description struct {
	Params Params
	Nodes  int
	Layers []Layer // ground first
	Bytes  int64   // of memory
}

// Layer describes a layer of a graph.
type Layer struct {
	Nodes int
	Links int
}

// Describe returns what the graph is made of.
func (g *Graph) Describe() Description {
	d := Description{Params: g.params, Nodes: len(g.slots), Layers: make([]Layer, len(g.layers)), Bytes: g.Bytes()}
	for i := range g.layers {
		d.Layers[i] = Layer{Nodes: g.layers[i].nodes, Links: g.layers[i].total()}
	}
	return d
}
