package dql

import (
	"sync"

	"dragg/internal/slab"
)

// tree is the memory that a document is made of.
type tree struct {
	doc    Document
	tops   []*Block
	blocks slab.Slab[Block]
	fields slab.Slab[Field]
	lists  slab.Slab[*Field]
	funcs  slab.Slab[Func]
	args   slab.Slab[Arg]
}

// keptBlocks is for how many blocks a tree keeps the memory.
const keptBlocks = 64

// trees wait for a document.
var trees = sync.Pool{New: func() any { return new(tree) }}

func (t *tree) free() {
	t.blocks.Reset()
	t.fields.Reset()
	t.lists.Reset()
	t.funcs.Reset()
	t.args.Reset()
	if t.doc = (Document{}); cap(t.tops) > keptBlocks {
		t.tops = nil
	}
	clear(t.tops[:cap(t.tops)])
	trees.Put(t)
}

// Release gives the document's memory back, for others to come: neither it nor its blocks and fields must be used afterwards.
// Whoever may not know leaves it to the collector.
func (d *Document) Release() {
	if t := d.tree; t != nil {
		t.tops, d.tree = d.Blocks, nil
		t.free()
	}
}

// document returns the document that the tree holds.
func (t *tree) document() *Document {
	t.doc = Document{Blocks: t.tops[:0]}
	return &t.doc
}

// Conditions of mutations are parsed without a tree: they live as long as they are used.

// function returns memory for a function.
func (t *tree) function() *Func {
	if t == nil {
		return new(Func)
	}
	return &t.funcs.Take(1)[0]
}

// oneArg returns memory for the argument of a function; few have several.
func (t *tree) oneArg() []Arg {
	if t == nil {
		return nil
	}
	return t.args.Take(1)[:0]
}
