package deploy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// families reads docs/metrics.md: the labels of each family, those that all have included.
func families(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(dragg_[a-z_]+)` \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		labels := []string{"job", "instance", "group", "le"}
		list, _, _ := strings.Cut(m[2], ":") // what follows are values
		for l := range strings.SplitSeq(list, ",") {
			labels = append(labels, strings.TrimSpace(l))
		}
		out[m[1]] = labels
	}
	if len(out) < 30 {
		t.Fatalf("docs/metrics.md has %d families", len(out))
	}
	return out
}

var (
	selector = regexp.MustCompile(`\b((?:dragg|process|go)_[a-z_]+|up\b)(\{[^}]*\})?(\[[^\]]*\])?`)
	matcher  = regexp.MustCompile(`^([a-z_]+)(=~|!~|!=|=)"[^"]*"$`)
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
	window   = regexp.MustCompile(`^\[(\d+[smhd]|\$__rate_interval)\]$`)
)

// process are the families of the Prometheus client that are used here.
var process = []string{"up", "process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines"}

// check returns what is wrong with an expression: families or labels that are not documented, counters without a rate,
// brackets that do not match.
func check(expr string, known map[string][]string) error {
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		return fmt.Errorf("it asks for nothing")
	}
	var labels []string
	for _, f := range found {
		name, part := f[1], false
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && strings.HasSuffix(base, "_seconds") {
				name, part = base, true
			}
		}
		has, ok := known[name]
		if !ok && !slices.Contains(process, name) {
			return fmt.Errorf("%s is not documented", name)
		}
		if !ok {
			has = []string{"job", "instance"}
		}
		if strings.HasSuffix(f[1], "_duration_seconds") {
			return fmt.Errorf("%s is a histogram: ask for its buckets, sum or count", name)
		}
		labels = append(labels, has...)
		if counter := part || strings.HasSuffix(name, "_total"); counter != (f[3] != "") {
			return fmt.Errorf("%s with the window %q", f[1], f[3])
		}
		if f[3] != "" && !window.MatchString(f[3]) {
			return fmt.Errorf("the window %s", f[3])
		}
		for one := range strings.SplitSeq(strings.Trim(f[2], "{}"), ",") {
			m := matcher.FindStringSubmatch(one)
			if one != "" && (m == nil || !slices.Contains(has, m[1])) {
				return fmt.Errorf("%s does not have %s", name, one)
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(l)) {
				return fmt.Errorf("nothing in it has the label %s", l)
			}
		}
	}
	return balanced(expr)
}

func balanced(expr string) error {
	var open []rune
	closes := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, r := range expr {
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != closes[r] {
				return fmt.Errorf("%c closes nothing", r)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%c is not closed", open[len(open)-1])
	}
	return nil
}

// The check finds what it is for.
func TestCheckFindsMistakes(t *testing.T) {
	known := families(t)
	for expr, wrong := range map[string]bool{
		`dragg_ready == 0`: false, `sum by (kind) (rate(dragg_request_duration_seconds_count[5m]))`: false, `up{job="a"} == 0`: false,
		`dragg_redy == 0`: true, `dragg_ready{kind="x"}`: true, `dragg_ready[5m]`: true, `dragg_zero_commits_total > 1`: true,
		`rate(dragg_zero_commits_total[5])`: true, `sum by (kind) (dragg_ready)`: true, `sum(dragg_ready`: true, `vector(1)`: true,
		`dragg_request_duration_seconds`: true,
	} {
		if err := check(expr, known); (err != nil) != wrong {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// Alerts have a name of their own, ask for what is documented, and say what to do.
func TestAlerts(t *testing.T) {
	known, seen := families(t), map[string]bool{}
	groups, _ := at(documents(t, "prometheus", "alerts.yml")[0], "groups").([]any)
	for _, g := range groups {
		rules, _ := at(g, "rules").([]any)
		for _, r := range rules {
			name, _ := at(r, "alert").(string)
			if name == "" || seen[name] {
				t.Errorf("the name %q", name)
			}
			seen[name] = true
			expr, _ := at(r, "expr").(string)
			if err := check(expr, known); err != nil {
				t.Errorf("%s: %s: %v", name, expr, err)
			}
			if s := at(r, "labels", "severity"); s != "critical" && s != "warning" {
				t.Errorf("%s has the severity %v", name, s)
			}
			for _, text := range []string{"summary", "description"} {
				if s, _ := at(r, "annotations", text).(string); s == "" {
					t.Errorf("%s has no %s", name, text)
				}
			}
			if !window.MatchString(fmt.Sprintf("[%v]", at(r, "for"))) {
				t.Errorf("%s waits for %v", name, at(r, "for"))
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d alerts", len(seen))
	}
}

// Panels of the dashboard ask for what is documented, have ids and places of their own, and legends with labels that are there.
func TestDashboard(t *testing.T) {
	type target struct{ Expr, LegendFormat, RefID string }
	var board struct {
		UID, Title    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []target
		}
	}
	read(t, &board, "grafana", "dragg.json")
	known, ids, cells := families(t), map[int]bool{}, map[[2]int]string{}
	if board.UID == "" || board.Title == "" || board.SchemaVersion == 0 || len(board.Panels) < 10 {
		t.Fatalf("%+v", board)
	}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			if err := check(q.Expr, known); err != nil {
				t.Errorf("%q: %s: %v", p.Title, q.Expr, err)
			}
		}
	}
}
