package gather

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func never(int) bool { return false }

// Whoever is alone does not wait; what waits already comes along.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := make(chan int, 10)
		g := New(in, 10, time.Second)
		began := time.Now()
		for i := range 3 {
			if got := g.Gather(i, never); !slices.Equal(got, []int{i}) {
				t.Fatalf("got %v", got)
			}
		}
		in <- 8
		in <- 9
		if got := g.Gather(7, never); !slices.Equal(got, []int{7, 8, 9}) {
			t.Fatalf("got %v", got)
		}
		if time.Since(began) != 0 {
			t.Errorf("waited %v", time.Since(began))
		}
	})
}

// The gatherer waits for as many as came together before, but not for longer than it may, and then expects fewer.
func TestExpectsAsManyAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := make(chan int, 10)
		g := New(in, 10, time.Second)
		in <- 1
		g.Gather(0, never)
		go func() { time.Sleep(time.Second / 2); in <- 3 }()
		began := time.Now()
		if got := g.Gather(2, never); !slices.Equal(got, []int{2, 3}) || time.Since(began) != time.Second/2 {
			t.Fatalf("got %v after %v", got, time.Since(began))
		}
		began = time.Now()
		if got := g.Gather(4, never); !slices.Equal(got, []int{4}) || time.Since(began) != time.Second {
			t.Fatalf("got %v after %v", got, time.Since(began))
		}
		began = time.Now()
		if got := g.Gather(5, never); !slices.Equal(got, []int{5}) || time.Since(began) != 0 {
			t.Fatalf("got %v after %v", got, time.Since(began))
		}
	})
}

// Full batches and the most a batch may hold end the gathering.
func TestBounds(t *testing.T) {
	in := make(chan int, 10)
	for i := range 9 {
		in <- i
	}
	g := New(in, 4, time.Second)
	if got := g.Gather(100, never); len(got) != 4 {
		t.Errorf("got %v", got)
	}
	if got := g.Gather(200, func(v int) bool { return v == 4 }); !slices.Equal(got, []int{200, 3, 4}) {
		t.Errorf("got %v", got)
	}
}
