package dql

// Options bounds what a text may cost. The zero value means the defaults.
type Options struct {
	// TextBytes is the longest text, in bytes. Default 1 MiB.
	TextBytes int
	// Depth is how deep blocks, filters, formulas and lists may nest. Default 64.
	Depth int
	// Nodes is how many nodes the tree may have, fragments expanded, arguments included. Default 1,000,000
	// for arguments together and 20,000 for everything else.
	Nodes, Args int
	// Blocks is how many root blocks. Default 256.
	Blocks int
	// Vars is how many variables a text may define. Default 1,000.
	Vars int
}

func (o Options) withDefaults() Options {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&o.TextBytes, 1<<20)
	set(&o.Depth, 64)
	set(&o.Nodes, 20_000)
	set(&o.Args, 1_000_000)
	set(&o.Blocks, 256)
	set(&o.Vars, 1_000)
	return o
}
