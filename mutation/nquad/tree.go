package nquad

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON objects and arrays.
const maxDepth = 200

// object is a JSON object with its keys in the order of the text. The last value of a repeated key stays.
type object struct {
	at     int // where it begins, in bytes of the text
	keys   []string
	keysAt []int          // where the keys begin
	values map[string]any // nil, bool, string, json.Number, *object, []any
}

func (o *object) put(key string, at int, v any) {
	if _, ok := o.values[key]; !ok {
		o.keys, o.keysAt = append(o.keys, key), append(o.keysAt, at)
	}
	o.values[key] = v
}

// treeReader reads one JSON text.
type treeReader struct {
	text []byte
	*json.Decoder
}

// ahead returns where the next token begins, or the end of the text.
func (d *treeReader) ahead() int {
	at := int(d.InputOffset())
	for at < len(d.text) && strings.IndexByte(" \t\r\n,:", d.text[at]) >= 0 {
		at++
	}
	return at
}

// fail returns an error at what comes next.
func (d *treeReader) fail(err error) error { return &offsetError{at: d.ahead(), err: err} }

// readTree reads one JSON text into nil, bool, string, json.Number, *object and []any.
func readTree(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the JSON is not valid UTF-8")
	}
	d := &treeReader{text, json.NewDecoder(bytes.NewReader(text))}
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, d.fail(fmt.Errorf("invalid JSON: %w", err))
	}
	end := d.ahead()
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &offsetError{at: end, err: errors.New("invalid JSON: more follows after the first value")}
	}
	return v, nil
}

func readValue(d *treeReader, depth int) (any, error) {
	at := d.ahead()
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth++; depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	if delim == '[' {
		return readArray(d, depth)
	}
	return readObject(d, at, depth)
}

func readArray(d *treeReader, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, unexpected(err)
}

func readObject(d *treeReader, at, depth int) (any, error) {
	o := &object{at: at, values: map[string]any{}}
	for d.More() {
		keyAt := d.ahead()
		t, err := d.Token()
		if err != nil {
			return nil, unexpected(err)
		}
		key, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("a key must be a string, found %v", t)
		}
		v, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		o.put(key, keyAt, v)
	}
	_, err := d.Token()
	return o, unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
