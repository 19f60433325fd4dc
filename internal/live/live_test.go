package live

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// Each line says what is so then; nothing where nothing is known, and nothing twice.
func TestLinesSayWhatIsSoThen(t *testing.T) {
	var out bytes.Buffer
	term := uint64(0)
	lg := Number(slog.New(slog.NewTextHandler(&out, nil)), "term", func() uint64 { return term }).With("group", 2)
	for _, c := range []struct {
		term uint64
		args []any
		want string
	}{
		{0, nil, "group=2\n"},
		{3, nil, "group=2 term=3\n"},
		{4, []any{"a", 1}, "group=2 a=1 term=4\n"},
		{5, []any{"term", 9}, "group=2 term=9\n"},
	} {
		out.Reset()
		term = c.term
		lg.Info("m", c.args...)
		if _, got, _ := strings.Cut(out.String(), "msg=m "); got != c.want {
			t.Errorf("term %d, %v: %q, want %q", c.term, c.args, got, c.want)
		}
	}
	out.Reset()
	term = 7
	lg.WithGroup("g").Info("m")
	if !strings.Contains(out.String(), "g.term=7") {
		t.Error(out.String())
	}
}
