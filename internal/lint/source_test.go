package lint

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module is the name of the module, as in go.mod.
const module = "dragg"

// file is one Go file of the project.
type file struct {
	path      string // from the root, with slashes
	pkg       string // folder from the root
	text      []byte
	syntax    *ast.File
	generated bool
	test      bool
}

var (
	fset  = token.NewFileSet()
	files = sync.OnceValues(readFiles)
)

// source returns every Go file of the project.
func source(t *testing.T) []*file {
	t.Helper()
	all, err := files()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d files found: the lint looks at the wrong folder", len(all))
	}
	return all
}

func readFiles() ([]*file, error) {
	root := filepath.Join("..", "..")
	var all []*file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "data") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(fset, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		all = append(all, &file{
			path: rel, pkg: filepath.ToSlash(filepath.Dir(rel)), text: text, syntax: syntax,
			generated: ast.IsGenerated(syntax), test: strings.HasSuffix(name, "_test.go"),
		})
		return nil
	})
	return all, err
}

func (f *file) lines() [][]byte { return bytes.Split(f.text, []byte{'\n'}) }

func (f *file) line(p token.Pos) int { return fset.Position(p).Line }

// product reports whether the file is part of what is shipped and hand-written.
func (f *file) product() bool {
	return !f.test && !f.generated && !strings.HasPrefix(f.pkg, "tools") && !strings.HasPrefix(f.pkg, "systest") && !strings.HasPrefix(f.pkg, "examples")
}
