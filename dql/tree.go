package dql

import (
	"sync"

	"dragg/internal/slab"
)

// tree is the memory that a document is made of.
type tree struct {
	blocks slab.Slab[Block]
	fields slab.Slab[Field]
	lists  slab.Slab[*Field]
}

// trees wait for a document.
var trees = sync.Pool{New: func() any { return new(tree) }}

func (t *tree) free() {
	t.blocks.Reset()
	t.fields.Reset()
	t.lists.Reset()
	trees.Put(t)
}

// Release gives the document's memory back, for others to come: neither it nor its blocks and fields must be used afterwards.
// Whoever may not know leaves it to the collector.
func (d *Document) Release() {
	if t := d.tree; t != nil {
		*d = Document{}
		t.free()
	}
}
