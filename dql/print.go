package dql

import (
	"strconv"
	"strings"
)

// String returns the canonical text of the document: it parses to an equal tree, positions aside.
func (d *Document) String() string { return string(d.AppendText(nil)) }

// AppendText appends the canonical text of the document to dst.
func (d *Document) AppendText(dst []byte) []byte {
	if d.Schema != nil {
		return d.Schema.appendText(dst)
	}
	if d.Name != "" {
		dst = append(append(append(dst, "query "...), d.Name...), ' ')
	}
	dst = append(dst, "{\n"...)
	for _, b := range d.Blocks {
		dst = append(b.appendText(append(dst, "  "...)), '\n')
	}
	return append(dst, "}\n"...)
}

func (q *SchemaQuery) appendText(dst []byte) []byte {
	dst = append(dst, "schema"...)
	list := func(key string, names []string) {
		dst = append(append(dst, key...), ": ["...)
		for i, n := range names {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendName(dst, n)
		}
		dst = append(dst, ']')
	}
	if q.ByPred || q.ByType {
		dst = append(dst, '(')
		if q.ByPred {
			list("pred", q.Preds)
		}
		if q.ByPred && q.ByType {
			dst = append(dst, ", "...)
		}
		if q.ByType {
			list("type", q.Types)
		}
		dst = append(dst, ')')
	}
	dst = append(dst, " {"...)
	for _, f := range q.Fields {
		dst = append(append(dst, ' '), f...)
	}
	return append(dst, " }\n"...)
}

func (b *Block) appendText(dst []byte) []byte {
	if b.Var != "" {
		dst = append(append(dst, b.Var...), " as "...)
	}
	switch b.Kind {
	case VarBlock:
		dst = append(dst, "var"...)
	case ShortestBlock:
		dst = append(dst, "shortest"...)
	default:
		dst = appendName(dst, b.Alias)
	}
	dst = append(dst, '(')
	start := len(dst)
	if b.Func != nil {
		dst = b.Func.appendText(append(dst, "func: "...))
	}
	if b.Path != nil {
		dst = b.Path.appendText(dst)
	}
	dst = appendPaging(dst, start, b.Page, b.Order)
	dst = append(dst, ')')
	if b.Filter != nil {
		dst = append(b.Filter.appendText(append(dst, " @filter("...), true), ')')
	}
	dst = b.Cascade.appendText(dst)
	if b.Normalize {
		dst = append(dst, " @normalize"...)
	}
	if b.IgnoreReflex {
		dst = append(dst, " @ignorereflex"...)
	}
	dst = appendGroupBy(dst, b.GroupBy)
	if r := b.Recurse; r != nil {
		dst = append(dst, " @recurse(depth: "...)
		dst = strconv.AppendInt(dst, int64(r.Depth), 10)
		dst = strconv.AppendBool(append(dst, ", loop: "...), r.Loop)
		dst = append(dst, ')')
	}
	return appendBody(dst, b.Fields)
}

// appendSep appends a comma unless nothing was written since start.
func appendSep(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ", "...)
	}
	return dst
}

// appendPaging appends the arguments first, offset, after and order. start is where the arguments begin.
func appendPaging(dst []byte, start int, page Page, order []Order) []byte {
	if page.First != 0 {
		dst = strconv.AppendInt(append(appendSep(dst, start), "first: "...), int64(page.First), 10)
	}
	if page.Offset != 0 {
		dst = strconv.AppendInt(append(appendSep(dst, start), "offset: "...), int64(page.Offset), 10)
	}
	if page.After != 0 {
		dst = page.After.AppendText(append(appendSep(dst, start), "after: "...))
	}
	for _, o := range order {
		dst = appendSep(dst, start)
		if o.Desc {
			dst = append(dst, "orderdesc: "...)
		} else {
			dst = append(dst, "orderasc: "...)
		}
		if o.Var != "" {
			dst = appendCall(dst, "val", o.Var)
			continue
		}
		dst = o.Attr.appendText(dst)
	}
	return dst
}

func appendCall(dst []byte, name, arg string) []byte {
	return append(append(append(append(dst, name...), '('), arg...), ')')
}

func (a Arg) appendText(dst []byte) []byte {
	switch a.Kind {
	case UIDArg:
		return a.UID.AppendText(dst)
	case UIDVarArg:
		return appendCall(dst, "uid", a.Text)
	case ValVarArg:
		return appendCall(dst, "val", a.Text)
	case RegexpArg:
		text := strings.NewReplacer("/", `\/`, "\n", `\n`).Replace(a.Text)
		return append(append(append(append(dst, '/'), text...), '/'), a.Flags...)
	}
	return appendQuoted(dst, a.Text)
}

func (path *Path) appendText(dst []byte) []byte {
	dst = path.From.appendText(append(dst, "from: "...))
	dst = path.To.appendText(append(dst, ", to: "...))
	num := func(key string, n int) {
		dst = strconv.AppendInt(append(append(append(dst, ", "...), key...), ": "...), int64(n), 10)
	}
	weight := func(key string, w *float64) {
		if w != nil {
			dst = append(append(append(dst, ", "...), key...), ": "...)
			dst = appendQuoted(dst, strconv.FormatFloat(*w, 'g', -1, 64))
		}
	}
	num("numpaths", path.NumPaths)
	weight("minweight", path.MinWeight)
	weight("maxweight", path.MaxWeight)
	if path.MaxFrontier > 0 {
		num("maxfrontiersize", path.MaxFrontier)
	}
	if path.Depth >= 0 {
		num("depth", path.Depth)
	}
	return dst
}

func (a Attr) appendText(dst []byte) []byte {
	if a.Reverse {
		dst = append(dst, '~')
	}
	dst = appendName(dst, a.Name)
	for i, l := range a.Langs {
		dst = append(dst, "@:"[min(i, 1)])
		dst = append(dst, l...)
	}
	return dst
}

// appendName appends a name, in <> unless it is an ordinary word.
func appendName(dst []byte, s string) []byte {
	if isBare(s) {
		return append(dst, s...)
	}
	return append(append(append(dst, '<'), s...), '>')
}

// isBare says whether s reads back as a bare name everywhere.
func isBare(s string) bool {
	switch strings.ToLower(s) {
	case "", "as", "uid", "val", "count", "len", "min", "max", "sum", "avg", "math", "expand", "checkpwd", "not",
		"and", "or", "var", "shortest", "schema", "set", "delete", "orderasc", "orderdesc", "_all_", "__all__":
		return false
	}
	if !isLetter(s[0]) || strings.Contains(s, "..") || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func (f *Func) appendText(dst []byte) []byte {
	dst = append(append(dst, f.Name...), '(')
	start := len(dst)
	switch f.Subject {
	case OnPredicate:
		dst = f.Attr.appendText(dst)
	case OnCount:
		dst = append(f.Attr.appendText(append(dst, "count("...)), ')')
	case OnVal:
		dst = appendCall(dst, "val", f.Var)
	case OnLen:
		dst = appendCall(dst, "len", f.Var)
	}
	for _, a := range f.Args {
		dst = appendSep(dst, start)
		if f.Name == "uid" && a.Kind == UIDVarArg {
			dst = append(dst, a.Text...)
			continue
		}
		dst = a.appendText(dst)
	}
	for _, o := range f.Options {
		dst = appendQuoted(append(append(appendSep(dst, start), o.Name...), ": "...), o.Text)
	}
	return append(dst, ')')
}

// appendText appends the filter; top says that no brackets are needed around a list.
func (f *Filter) appendText(dst []byte, top bool) []byte {
	switch f.Op {
	case FilterFunc:
		return f.Func.appendText(dst)
	case FilterNot:
		return f.Children[0].appendText(append(dst, "not "...), false)
	}
	return appendOperands(dst, f.Op, f.Children, top)
}

// appendOperands appends the operands of and, or or. top says that no brackets are needed around them.
func appendOperands[F interface {
	appendText(dst []byte, top bool) []byte
}](dst []byte, op FilterOp, operands []F, top bool) []byte {
	if !top {
		dst = append(dst, '(')
	}
	for i, o := range operands {
		if i > 0 {
			dst = append(dst, map[FilterOp]string{FilterAnd: " and ", FilterOr: " or "}[op]...)
		}
		dst = o.appendText(dst, false)
	}
	if !top {
		dst = append(dst, ')')
	}
	return dst
}

func (c *Cascade) appendText(dst []byte) []byte {
	if c == nil {
		return dst
	}
	dst = append(dst, " @cascade"...)
	for i, n := range c.Names {
		dst = append(dst, "(,"[min(i, 1)])
		name, reverse := strings.CutPrefix(n, "~")
		dst = Attr{Name: name, Reverse: reverse}.appendText(dst)
	}
	if len(c.Names) > 0 {
		dst = append(dst, ')')
	}
	return dst
}

func appendGroupBy(dst []byte, keys []GroupKey) []byte {
	for i, k := range keys {
		if i == 0 {
			dst = append(dst, " @groupby("...)
		} else {
			dst = append(dst, ", "...)
		}
		if k.Alias != "" {
			dst = append(append(dst, k.Alias...), ": "...)
		}
		dst = k.Attr.appendText(dst)
	}
	if len(keys) > 0 {
		dst = append(dst, ')')
	}
	return dst
}

// String returns the text of the filter as it stands in brackets.
func (f *Filter) String() string { return string(f.appendText(nil, true)) }
