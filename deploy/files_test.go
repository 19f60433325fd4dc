package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
)

// object is a parsed mapping.
type object = map[string]any

// documents reads the YAML documents of a file; a mapping that names a key twice fails.
func documents(t *testing.T, path ...string) []object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	var all []object
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v: %v", path, err)
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		t.Fatalf("%v is empty", path)
	}
	return all
}

// read parses a JSON file.
func read(t *testing.T, into any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %v", path, err)
	}
}

// at walks into mappings and lists; nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch key := step.(type) {
		case string:
			o, _ := v.(object)
			v = o[key]
		case int:
			l, _ := v.([]any)
			if key >= len(l) {
				return nil
			}
			v = l[key]
		}
	}
	return v
}

// texts returns a list of texts.
func texts(v any) []string {
	var out []string
	l, _ := v.([]any)
	for _, one := range l {
		if s, ok := one.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
