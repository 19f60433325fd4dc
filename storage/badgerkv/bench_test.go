package badgerkv

import (
	"fmt"
	"testing"

	"dragg/graph"
	"dragg/storage"
)

// BenchmarkWrite stores batches of one commit and of many.
func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{5, 100, 5000} {
		for _, stamps := range []int{1, 10} {
			b.Run(fmt.Sprintf("%d ops at %d timestamps", n, stamps), func(b *testing.B) {
				e, err := Open(b.TempDir(), Config{ReserveBytes: 1})
				if err != nil {
					b.Fatal(err)
				}
				ts, k := graph.Timestamp(1), 0
				b.ReportAllocs()
				for b.Loop() {
					var batch storage.Batch
					for i := range n {
						k++
						batch.Set(fmt.Appendf(nil, "key%09d", k*7919%1_000_000_007), []byte("value"), ts+graph.Timestamp(i*stamps/n))
					}
					ts += graph.Timestamp(stamps)
					if err := e.Write(b.Context(), &batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds()/1e3, "kops/s")
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkSync is the barrier after a small write.
func BenchmarkSync(b *testing.B) {
	e, err := Open(b.TempDir(), Config{ReserveBytes: 1})
	if err != nil {
		b.Fatal(err)
	}
	ts := graph.Timestamp(1)
	for b.Loop() {
		var batch storage.Batch
		batch.Set([]byte("key"), []byte("value"), ts)
		ts++
		if err := e.Write(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
		if err := e.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkVersions reads a key with one whole version, with a chain of changes, and one that is not there.
func BenchmarkVersions(b *testing.B) {
	e, err := Open(b.TempDir(), Config{ReserveBytes: 1})
	if err != nil {
		b.Fatal(err)
	}
	var batch storage.Batch
	for i := range 50_000 {
		batch.SetComplete(fmt.Appendf(nil, "whole%06d", i), []byte("value"), 1)
		batch.Set(fmt.Appendf(nil, "chain%06d", i), []byte("value"), 1)
		batch.Set(fmt.Appendf(nil, "chain%06d", i), []byte("value"), 2)
	}
	if err := e.Write(b.Context(), &batch); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"whole", "chain", "absent"} {
		b.Run(kind, func(b *testing.B) {
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				key := fmt.Appendf(nil, "%s%06d", kind, i*7919%50_000)
				r := e.ReaderAt(5)
				_ = r.Versions(key, func(graph.Timestamp, storage.Version) bool { return true }) // absent is an error
				r.Close()
			}
		})
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}
