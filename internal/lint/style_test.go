package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The sizes of the house style. The habit is smaller: files of 400 lines, functions of 60.
const (
	maxFileLines     = 1000
	maxFunctionLines = 100
	maxLineColumns   = 140
)

// Files, functions and lines fit on a screen or two.
func TestSizes(t *testing.T) {
	for _, f := range source(t) {
		if f.generated {
			continue
		}
		lines := f.lines()
		if len(lines) > maxFileLines {
			t.Errorf("%s has %d lines, the most is %d: is it one noun?", f.path, len(lines), maxFileLines)
		}
		for i, line := range lines {
			if n := utf8.RuneCount(line); n > maxLineColumns && !f.test {
				t.Errorf("%s:%d has %d columns, the most is %d", f.path, i+1, n, maxLineColumns)
			}
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Body != nil {
				if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunctionLines && !f.test {
					t.Errorf("%s: %s has %d lines, the most is %d", f.path, fn.Name.Name, n, maxFunctionLines)
				}
			}
		}
	}
}

// Every exported thing, and every package, says what it means.
func TestDocumented(t *testing.T) {
	hasDoc := map[string]bool{}
	for _, f := range source(t) {
		hasDoc[f.pkg] = hasDoc[f.pkg] || f.syntax.Doc != nil
	}
	for pkg, ok := range hasDoc {
		if !ok && !strings.HasPrefix(pkg, "tools") {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
	for _, f := range source(t) {
		if !f.product() {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s:%d: %s has no comment", f.path, f.line(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				checkDeclaration(t, f, d)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	e := d.Recv.List[0].Type
	if s, ok := e.(*ast.StarExpr); ok {
		e = s.X
	}
	if x, ok := e.(*ast.IndexExpr); ok {
		e = x.X
	}
	id, ok := e.(*ast.Ident)
	// Methods of unexported types are documented by the interface they implement.
	return ok && id.IsExported()
}

func checkDeclaration(t *testing.T, f *file, d *ast.GenDecl) {
	t.Helper()
	for _, s := range d.Specs {
		if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
			t.Errorf("%s:%d: type %s has no comment", f.path, f.line(ts.Pos()), ts.Name.Name)
		}
	}
}

// ban is a thing that product code does not do, and what it does instead. Where lists folders that may.
type ban struct {
	pattern *regexp.Regexp
	instead string
	where   []string
}

var bans = []ban{
	{regexp.MustCompile(`\bos\.Exit\(|\blog\.Fatal`), "return an error; only the mains in cmd exit", []string{"cmd/"}},
	{
		regexp.MustCompile(`\bcontext\.(Background|TODO)\(\)`), "take a context from the caller",
		// Apply and checkpoints must not be cut off by anybody's context: what they began they finish.
		[]string{"cmd/", "alpha/shard/apply.go", "alpha/shard/meta.go"},
	},
	{regexp.MustCompile(`\btime\.Sleep\(`), "wait for what you wait for, with a timer and a context", nil},
	{regexp.MustCompile(`\.Error\(\) ?==|strings\.Contains\([a-z]*[eE]rr\.Error\(\)`), "match errors with errors.Is or errors.As", nil},
	{regexp.MustCompile(`^func init\(\)`), "hand dependencies to constructors", nil},
	{regexp.MustCompile(`\bfmt\.Print(ln|f)?\(`), "write to the writer you were given, or log", nil},
	{regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), "do it, or write an issue", nil},
	{regexp.MustCompile(`\.DropPrefix\(`), "delete in bounded steps: DropPrefix stops all writes", nil},
	{regexp.MustCompile(`"math/rand"$`), "use math/rand/v2", nil},
}

// What the house does not do.
func TestBans(t *testing.T) {
	for _, f := range source(t) {
		if !f.product() {
			continue
		}
		for i, line := range f.lines() {
			code := string(line)
			if at := strings.Index(code, "//"); at >= 0 {
				code = code[:at]
			}
			for _, b := range bans {
				if b.pattern.MatchString(code) && !allowed(f.path, b.where) {
					t.Errorf("%s:%d: %s: %s", f.path, i+1, strings.TrimSpace(code), b.instead)
				}
			}
		}
	}
}

func allowed(path string, where []string) bool {
	for _, w := range where {
		if strings.HasPrefix(path, w) {
			return true
		}
	}
	return false
}

// Package-level variables are constants that Go cannot spell as such: errors, tables, compiled patterns, interface checks.
func TestNoMutableGlobals(t *testing.T) {
	for _, f := range source(t) {
		if !f.product() {
			continue
		}
		for _, d := range f.syntax.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR || embedded(g) {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for _, name := range v.Names {
					if name.Name != "_" && len(v.Values) == 0 {
						t.Errorf("%s:%d: variable %s is set by somebody later: hand it to a constructor", f.path, f.line(v.Pos()), name.Name)
					}
				}
			}
		}
	}
}

// embedded reports whether the compiler sets a variable, from a file.
func embedded(g *ast.GenDecl) bool {
	return g.Doc != nil && slices.ContainsFunc(g.Doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// Nobody sees where this was made.
func TestNoTracesOfTheWorkshop(t *testing.T) {
	trace := regexp.MustCompile(`/work/|/tmp/|helper-[0-9]|farm-|proxy\.golang\.org`)
	for _, f := range source(t) {
		if strings.HasPrefix(f.path, "internal/lint/") {
			continue
		}
		for i, line := range f.lines() {
			if trace.Match(line) {
				t.Errorf("%s:%d: %s", f.path, i+1, line)
			}
		}
	}
}
