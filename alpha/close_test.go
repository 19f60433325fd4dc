package alpha

// Goal: a node that stops amid requests lets them end before it closes the store. Method: readers read all the time while
// nodes stop; a read of a closed store panics or fails as a bug of the server would.

import (
	"context"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
)

func TestCloseWaitsForRequests(t *testing.T) {
	n := newNode(t.Context(), Config{Limits: Limits{InFlight: 2}}, nil)
	n.ready.Store(true)
	leave, err := n.admit()
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { n.door.Lock(); close(closed) }()
	for { // until the door is being shut
		other, err := n.admit()
		if err != nil {
			if fault.ClassOf(err) != fault.Unavailable {
				t.Errorf("refused with %v", err)
			}
			break
		}
		other()
	}
	select {
	case <-closed:
		t.Fatal("the door is shut with a request inside")
	default:
	}
	leave()
	<-closed
	if _, err := n.Do(context.Background(), &api.Request{Query: "{ q(func: uid(1)) { uid } }"}, Options{}); err == nil {
		t.Error("a request came in through a shut door")
	}
}
