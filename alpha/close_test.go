package alpha

// Goal: a node that stops amid requests lets them end before it closes the store. Method: readers read all the time while
// nodes stop; a read of a closed store panics or fails as a bug of the server would.

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
	"dragg/storage"
	"dragg/storage/memkv"
)

func TestCloseWaitsForRequests(t *testing.T) {
	n := newNode(t.Context(), Config{Limits: Limits{InFlight: 2}}, nil)
	n.ready.Store(true)
	if err := n.admit(); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { n.door.Lock(); close(closed) }()
	for { // until the door is being shut
		if err := n.admit(); err != nil {
			if fault.ClassOf(err) != fault.Unavailable {
				t.Errorf("refused with %v", err)
			}
			break
		}
		n.leave()
	}
	select {
	case <-closed:
		t.Fatal("the door is shut with a request inside")
	default:
	}
	n.leave()
	<-closed
	if _, err := n.Do(context.Background(), &api.Request{Query: "{ q(func: uid(1)) { uid } }"}, Options{}); err == nil {
		t.Error("a request came in through a shut door")
	}
}

// stuck is a store on a disk that fails: closing it does not end before it is let go.
type stuck struct {
	storage.Engine
	letGo chan struct{}
}

func (e stuck) Close() error {
	<-e.letGo
	return errors.New("flushed at last")
}

// After a failure a node ends although its store cannot be closed; without one it waits for the store.
func TestCloseAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failed := range []bool{true, false} {
			n := newNode(t.Context(), Config{}, nil)
			e := stuck{memkv.New(memkv.Config{}), make(chan struct{})}
			n.engine = e
			const until = time.Minute
			time.AfterFunc(until, func() { close(e.letGo) })
			began := time.Now()
			err := n.close(failed)
			if took := time.Since(began); err == nil || failed && took > closeTimeout || !failed && took < until {
				t.Errorf("failed %v: closed after %v, %v", failed, took, err)
			}
			<-e.letGo
		}
	})
}
