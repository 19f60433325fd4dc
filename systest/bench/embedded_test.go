package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
	"dragg/systest/embedded"
)

var embeddedPeople = flag.Int("embedded-people", 5_000, "people in the social graph of BenchmarkShapes")

// social is a social graph in this process.
type social struct {
	tb    testing.TB
	d     *embedded.Database
	world World
}

func newSocial(tb testing.TB, people int) *social {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d := embedded.ForTest(tb)
	s := &social{tb: tb, d: d}
	if err := d.Alter(ctx, &api.Operation{Schema: SocialSchema}); err != nil {
		tb.Fatal(err)
	}
	s.load(people)
	s.survey(people)
	return s
}

// load commits the graph in batches; the first of them names the nodes of all that follow.
func (s *social) load(people int) {
	s.tb.Helper()
	var text bytes.Buffer
	if err := (Social{People: people}).Write(&text); err != nil {
		s.tb.Fatal(err)
	}
	first, err := s.d.Lease(context.Background(), uint64(10*people+1000))
	if err != nil {
		s.tb.Fatal(err)
	}
	named := NameNodes(text.String(), first)
	const batch = 20_000
	for len(named) > 0 {
		n := min(batch, len(named))
		_, err := s.d.Do(context.Background(), &api.Request{CommitNow: true, Mutations: []*api.Mutation{
			{SetNquads: []byte(strings.Join(named[:n], "\n"))},
		}}, alpha.Options{})
		if err != nil {
			s.tb.Fatal(err)
		}
		named = named[n:]
	}
	s.ask(`{ q(func: uid(1)) { uid } }`, false)
}

func (s *social) ask(text string, bestEffort bool) []byte {
	resp, err := s.d.Do(context.Background(), &api.Request{Query: text, ReadOnly: true, BestEffort: bestEffort}, alpha.Options{})
	if err != nil {
		s.tb.Fatalf("%s: %v", text, err)
	}
	return resp.Json
}

func (s *social) survey(people int) {
	s.tb.Helper()
	s.world = Survey(people, func(text string) []string {
		var answer struct{ Q []struct{ UID string } }
		if err := json.Unmarshal(s.ask(text, true), &answer); err != nil {
			s.tb.Fatal(err)
		}
		var list []string
		for _, n := range answer.Q {
			list = append(list, n.UID)
		}
		return list
	}, rand.New(rand.NewPCG(1, 0)))
}

// BenchmarkShapes runs each shape in this process, without network and disk: what a profile should look at.
func BenchmarkShapes(b *testing.B) {
	s := newSocial(b, *embeddedPeople)
	for _, shape := range Shapes() {
		b.Run(strings.ReplaceAll(shape.Name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			i, size := 0, 0
			before := processorTime(b)
			for b.Loop() {
				size += len(s.ask(shape.Text(s.world, i), true))
				i++
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(i)/1000, "cpu-µs/op")
			b.ReportMetric(float64(size)/float64(i), "answer-B/op")
		})
	}
}

// processorTime is what this process has used: other than the clock it does not depend on who else uses the machine.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
