package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// formVersion is the first byte of every stored definition.
const formVersion = 1

// ErrCorrupt says that stored bytes are not a definition.
var ErrCorrupt = errors.New("corrupt stored schema")

// The bits of a stored predicate's flags.
const (
	flagList = 1 << iota
	flagReverse
	flagCount
	flagLang
	flagUpsert
	flagUnique
	flagNoConflict
	flagVector
	flagsEnd
)

// AppendBinary appends the stored form of p to dst:
//
//	version │ flags │ type │ namespace │ name │ n │ n tokenizer ids │ n │ n × building
//	  │ [vector name │ n │ n × (key, value)]
//
// Numbers are varints; texts and lists carry their length in front.
func (p *Predicate) AppendBinary(dst []byte) []byte {
	flags := uint64(0)
	for i, on := range []bool{
		p.List, p.Reverse, p.Count, p.Lang, p.Upsert, p.Unique, p.NoConflict, p.Vector != nil,
	} {
		if on {
			flags |= 1 << i
		}
	}
	dst = append(dst, formVersion)
	dst = binary.AppendUvarint(dst, flags)
	dst = append(dst, byte(p.Type))
	dst = binary.AppendUvarint(dst, uint64(p.Name.Namespace))
	dst = appendString(dst, p.Name.Name)
	dst = binary.AppendUvarint(dst, uint64(len(p.Index)))
	for _, t := range p.Index {
		dst = append(dst, t.ID())
	}
	dst = appendStrings(dst, p.Building)
	if p.Vector != nil {
		dst = appendString(dst, p.Vector.Name)
		dst = binary.AppendUvarint(dst, uint64(len(p.Vector.Options)))
		for _, o := range p.Vector.Options {
			dst = appendString(appendString(dst, o.Key), o.Value)
		}
	}
	return dst
}

// DecodePredicate reads what AppendBinary wrote; all of b belongs to it. It returns ErrCorrupt for anything
// else.
func DecodePredicate(b []byte) (*Predicate, error) {
	r := reader{rest: b}
	r.version()
	flags := r.number()
	p := &Predicate{
		Type:       types.ID(r.byte()),
		Name:       graph.Predicate{Namespace: graph.Namespace(r.number()), Name: r.text()},
		List:       flags&flagList != 0,
		Reverse:    flags&flagReverse != 0,
		Count:      flags&flagCount != 0,
		Lang:       flags&flagLang != 0,
		Upsert:     flags&flagUpsert != 0,
		Unique:     flags&flagUnique != 0,
		NoConflict: flags&flagNoConflict != 0,
	}
	for range r.length() {
		t, ok := tok.ByID(r.byte())
		if !ok {
			r.fail("unknown tokenizer")
			break
		}
		p.Index = append(p.Index, t)
	}
	p.Building = r.texts()
	if flags&flagVector != 0 {
		p.Vector = &VectorIndex{Name: r.text()}
		for range r.length() {
			p.Vector.Options = append(p.Vector.Options, Option{Key: r.text(), Value: r.text()})
		}
	}
	if flags >= flagsEnd || !p.Type.Valid() {
		r.fail("unknown flag or type")
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return p, nil
}

// AppendBinary appends the stored form of t to dst: version, name, fields.
func (t *Type) AppendBinary(dst []byte) []byte {
	return appendStrings(appendString(append(dst, formVersion), t.Name), t.Fields)
}

// DecodeType reads what AppendBinary wrote; all of b belongs to it. It returns ErrCorrupt for anything else.
func DecodeType(b []byte) (*Type, error) {
	r := reader{rest: b}
	r.version()
	t := &Type{Name: r.text(), Fields: r.texts()}
	if err := r.end(); err != nil {
		return nil, err
	}
	return t, nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}

// reader takes fields off a stored form. After the first failure everything it returns is zero.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	r.rest = nil
}

func (r *reader) version() {
	if v := r.byte(); r.err == nil && v != formVersion {
		r.fail(fmt.Sprintf("version %d", v))
	}
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail("too short")
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail("bad number")
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// length reads the length of a list or text. Every element takes at least a byte, so a length beyond the rest
// is refused before anything is allocated.
func (r *reader) length() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail("bad length")
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.length()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	if !utf8.ValidString(s) {
		r.fail("a text that is not UTF-8")
	}
	return s
}

func (r *reader) texts() []string {
	var list []string
	for range r.length() {
		if r.err != nil {
			return nil
		}
		list = append(list, r.text())
	}
	return list
}

func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("trailing bytes")
	}
	return r.err
}
