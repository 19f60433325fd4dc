//go:build systest

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dragg/systest"
)

var people = flag.Int("people", 50_000, "people in the social graph; each is about 22 N-Quads")

// windows are how long a shape runs before it is measured, so that its lists are in memory, and how long an empty call and a shape
// are measured.
const (
	warmWindow  = 3 * time.Second
	baseWindow  = time.Second
	shapeWindow = 3 * time.Second
)

// BenchmarkSocial compares each shape of query with an empty call just before and after it: 8 clients over gRPC.
func BenchmarkSocial(b *testing.B) {
	d := start(b)
	dir := b.TempDir()
	schema := write(b, dir, "social.schema", func(w *bufio.Writer) { fmt.Fprint(w, SocialSchema) })
	data := write(b, dir, "social.rdf", func(w *bufio.Writer) { must(b, Social{People: *people}.Write(w)) })
	b.Logf("loaded %.0f quads/s", live(b, d, "-f", data, "-s", schema))
	cs := clients(b, d, 8)
	world := survey(b, cs[0])
	for _, s := range Shapes() {
		b.Run(strings.ReplaceAll(s.Name, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				measure(b, d, cs, s, world)
			}
		})
	}
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rss(b, d.PID()), "server-MiB")
		}
	})
}

// measure reports one shape: its throughput as a part of that of an empty call, and the same by the processor time that server
// and clients use for a call, which does not depend on who else uses the machine.
func measure(b *testing.B, d *systest.Dragg, cs []*systest.Client, s Shape, world World) {
	b.Helper()
	ask := func(c *systest.Client, worker, i int) error {
		_, err := c.NewReadOnlyTxn().Query(context.Background(), s.Text(world, worker*1009+i))
		return err
	}
	timed(b, cs, warmWindow, ask)
	start := busy(b, d)
	before := timed(b, cs, baseWindow, checkVersion)
	first := busy(b, d)
	times := timed(b, cs, shapeWindow, ask)
	second := busy(b, d)
	after := timed(b, cs, baseWindow, checkVersion)
	base, spent := first-start+busy(b, d)-second, second-first
	calls := len(before) + len(after)
	baseRate := float64(calls) / (2 * baseWindow.Seconds())
	rate := float64(len(times)) / shapeWindow.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate, "queries/s")
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(rate/baseRate, "ratio")
	b.ReportMetric(base.Seconds()/float64(calls)*float64(len(times))/spent.Seconds(), "cpu-ratio")
	b.ReportMetric(s.Aim, "aim")
}

// busy returns the processor time that the server and this process have used.
func busy(b *testing.B, d *systest.Dragg) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.PID()))
	must(b, err)
	f := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:]) // the name may hold blanks
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	must(b, errors.Join(err1, err2))
	const tick = 10 * time.Millisecond
	return processorTime(b) + time.Duration(user+system)*tick
}

// timed runs fn on every client for the window and returns how long each call took, ascending.
func timed(b *testing.B, cs []*systest.Client, window time.Duration, fn func(c *systest.Client, worker, i int) error) []time.Duration {
	b.Helper()
	var mu sync.Mutex
	var all []time.Duration // guarded by mu
	var wg sync.WaitGroup
	began := time.Now()
	for worker, c := range cs {
		wg.Go(func() {
			var own []time.Duration
			for i := 0; time.Since(began) < window; i++ {
				from := time.Now()
				if err := fn(c, worker, i); err != nil {
					b.Error(err)
					return
				}
				own = append(own, time.Since(from))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
		})
	}
	wg.Wait()
	slices.Sort(all)
	if len(all) == 0 {
		b.Fatal("no call came through")
	}
	return all
}

// survey asks for what the shapes have to know.
func survey(b *testing.B, c *systest.Client) World {
	b.Helper()
	return Survey(*people, func(text string) []string { return uids(b, c, text) }, rand.New(rand.NewPCG(1, 0)))
}

func uids(b *testing.B, c *systest.Client, text string) []string {
	b.Helper()
	r, err := c.NewReadOnlyTxn().Query(context.Background(), text)
	must(b, err)
	var answer struct {
		Q []struct {
			UID string `json:"uid"`
		} `json:"q"`
	}
	must(b, json.Unmarshal(r.Json, &answer))
	var list []string
	for _, n := range answer.Q {
		list = append(list, n.UID)
	}
	return list
}
