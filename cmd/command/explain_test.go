package command

import (
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

func TestPrintPlan(t *testing.T) {
	const plan = `[{"name":"q","ask":"has(age)","after":["v"],"notes":["cut"],"steps":[` +
		`{"name":"friend","ask":"edges of friend","filter":"ge(age, 3)","steps":[{"name":"uid","ask":"nothing"}]},` +
		`{"name":"name","ask":"values of name","cost":{"rows":3,"lists":4,"cache_hits":3,"rounds":1,"time_ns":2000}}]}]`
	resp := &api.Response{Hdrs: map[string]*api.ListOfString{"explain": {Value: []string{plan}}}}
	var b strings.Builder
	if err := printPlan(&b, resp, "explain"); err != nil {
		t.Fatal(err)
	}
	want := `q: has(age)  after v
│ (cut)
├ friend: edges of friend  filter ge(age, 3)
│ └ uid: nothing
└ name: values of name  [3 rows, 4 lists, 3 cached, 1 rounds, ` + (2 * time.Microsecond).String() + `]
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if err := printPlan(&b, &api.Response{}, "profile"); err == nil || !strings.Contains(err.Error(), "older") {
		t.Errorf("from an old server: %v", err)
	}
}
