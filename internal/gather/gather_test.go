package gather

import (
	"slices"
	"testing"
	"time"
)

func never(int) bool { return false }

// Whoever is alone does not wait; what waits already comes along.
func TestAlone(t *testing.T) {
	in := make(chan int, 10)
	g := New(in, 10)
	began := time.Now()
	for i := range 1000 {
		if got := g.Gather(i, never); !slices.Equal(got, []int{i}) {
			t.Fatalf("got %v", got)
		}
	}
	if each := time.Since(began) / 1000; each > longest/4 {
		t.Errorf("waited %v each", each)
	}
	in <- 8
	in <- 9
	if got := g.Gather(7, never); !slices.Equal(got, []int{7, 8, 9}) {
		t.Errorf("got %v", got)
	}
}

// Those who are about to ask come along: goroutines that are ready to run when the gathering begins.
func TestWaitsForThoseWhoAreReady(t *testing.T) {
	const askers, rounds = 20, 50
	in := make(chan int)
	g := New(in, askers)
	together := 0
	for range rounds {
		for i := range askers {
			go func() { in <- i }() // ends when it is gathered
		}
		for left := askers; left > 0; {
			left -= len(g.Gather(<-in, never))
			together++
		}
	}
	if together > rounds*askers/4 {
		t.Errorf("%d requests came in %d batches", rounds*askers, together)
	}
}

// Work that goes on and on does not hold the gatherer up.
func TestDoesNotWaitForLong(t *testing.T) {
	in, stop := make(chan int), make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case in <- 1:
				time.Sleep(longest / 10)
			case <-stop:
				return
			}
		}
	}()
	g := New(in, 1<<20)
	began := time.Now()
	g.Gather(0, never)
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// Full batches and the most a batch may hold end the gathering.
func TestBounds(t *testing.T) {
	in := make(chan int, 10)
	for i := range 9 {
		in <- i
	}
	g := New(in, 4)
	if got := g.Gather(100, never); len(got) != 4 {
		t.Errorf("got %v", got)
	}
	if got := g.Gather(200, func(v int) bool { return v == 4 }); !slices.Equal(got, []int{200, 3, 4}) {
		t.Errorf("got %v", got)
	}
	if got := g.Gather(300, func(int) bool { return true }); !slices.Equal(got, []int{300}) {
		t.Errorf("got %v", got)
	}
}
