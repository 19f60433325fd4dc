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

const (
	warmWindow   = 3 * time.Second // how long a shape runs before it is measured, so that its lists are in memory
	shapeWindow  = time.Second     // how long an empty call or a shape is measured at a time
	shapeWindows = 5               // how many times a shape is
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
// and clients use for a call, which does not depend on who else uses the machine. Both are medians over short windows, each of
// which is compared with those of empty calls before and after it: whole seconds differ by a tenth on a shared machine.
func measure(b *testing.B, d *systest.Dragg, cs []*systest.Client, s Shape, world World) {
	b.Helper()
	ask := func(c *systest.Client, worker, i int) error {
		_, err := c.NewReadOnlyTxn().Query(context.Background(), s.Text(world, worker*1009+i))
		return err
	}
	timed(b, cs, warmWindow, ask)
	var ratios, cpuRatios []float64
	var times []time.Duration
	before, _ := measureWindow(b, d, cs, checkVersion)
	for range shapeWindows {
		shape, took := measureWindow(b, d, cs, ask)
		after, _ := measureWindow(b, d, cs, checkVersion)
		ratios = append(ratios, 2*shape.rate/(before.rate+after.rate))
		cpuRatios = append(cpuRatios, (before.cost+after.cost)/(2*shape.cost))
		times = append(times, took...)
		before = after
	}
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(times))/(shapeWindows*shapeWindow.Seconds()), "queries/s")
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(cpuRatios), "cpu-ratio")
	b.ReportMetric(s.Aim, "aim")
}

// figures are what a window shows of one kind of call.
type figures struct {
	rate float64 // calls a second
	cost float64 // seconds of processor time a call, of server and clients
}

func measureWindow(
	b *testing.B, d *systest.Dragg, cs []*systest.Client, fn func(c *systest.Client, worker, i int) error,
) (figures, []time.Duration) {
	b.Helper()
	start := busy(b, d)
	times := timed(b, cs, shapeWindow, fn)
	n := float64(len(times))
	return figures{rate: n / shapeWindow.Seconds(), cost: (busy(b, d) - start).Seconds() / n}, times
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
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
