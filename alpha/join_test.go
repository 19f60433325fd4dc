package alpha

import (
	"path/filepath"
	"strings"
	"testing"

	"dragg/internal/fault"
)

// An Alpha that is started on the folder of a Zero says so, before it asks to join: it would be taken for the Alpha of that number.
func TestFolderOfAZero(t *testing.T) {
	p := plan{disk: true}
	p.dir = t.TempDir()
	db := p.start(t)
	db.kill()
	_, err := Open(t.Context(), Config{Dir: filepath.Join(p.dir, "zero"), My: "elsewhere:7080"}, nil) // nobody is asked
	if fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "holds the log of Zero 1") {
		t.Error(err)
	}
}
