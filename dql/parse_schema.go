package dql

// schemaQuery reads schema(pred: [a, b]) { type index }. What follows it is ignored (dql.md fact 40).
func (p *parser) schemaQuery() (*Document, error) {
	p.i++
	q := &SchemaQuery{}
	if p.accept("(") {
		if err := p.schemaArgs(q); err != nil {
			return nil, err
		}
	}
	if p.accept("{") {
		for !p.accept("}") {
			if p.accept(",") {
				continue
			}
			t := p.next()
			if t.kind != tName {
				return nil, p.failAt(t, "Expected a field of the schema. Got: %s", t.show())
			}
			if err := p.arg(); err != nil {
				return nil, err
			}
			q.Fields = append(q.Fields, t.text)
		}
	}
	return &Document{Schema: q}, nil
}

func (p *parser) schemaArgs(q *SchemaQuery) error {
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		key := p.next()
		if key.kind != tName {
			return p.failAt(key, "Expecting argument name. Got: %s", key.show())
		}
		if err := p.expectColon(key); err != nil {
			return err
		}
		names, err := p.nameList()
		if err != nil {
			return err
		}
		switch {
		case key.text == "pred" && !q.ByPred:
			q.Preds, q.ByPred = names, true
		case key.text == "type" && !q.ByType:
			q.Types, q.ByType = names, true
		default:
			return p.failAt(key, "Got invalid keyword: %s at schema", key.text)
		}
	}
	return nil
}

// nameList reads a or [a, b].
func (p *parser) nameList() ([]string, error) {
	if !p.accept("[") {
		t := p.next()
		if t.kind != tName && t.kind != tIRI {
			return nil, p.failAt(t, "Expected a name. Got: %s", t.show())
		}
		return []string{t.text}, nil
	}
	var names []string
	for !p.accept("]") {
		if p.accept(",") {
			continue
		}
		t := p.next()
		if t.kind != tName && t.kind != tIRI {
			return nil, p.failAt(t, "Expected a name. Got: %s", t.show())
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
		names = append(names, t.text)
	}
	return names, nil
}
