package zero

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"dragg/cluster/admin"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// alphaPeer stands for an Alpha that is asked to hand leadership over.
type alphaPeer struct {
	pb.UnimplementedPeerServer
	leads bool

	mu    sync.Mutex
	asked []uint64 // guarded by mu
}

func (p *alphaPeer) Promote(_ context.Context, r *pb.PromoteRequest) (*pb.PromoteReply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Id)
	if !p.leads {
		return nil, fault.ToPeer(fault.New(fault.Unavailable, "this Alpha does not lead its group"))
	}
	return &pb.PromoteReply{}, nil
}

// alpha puts an Alpha at an address.
func (w *world) alpha(address string, leads bool) *alphaPeer {
	p, server, wire := &alphaPeer{leads: leads}, grpc.NewServer(), bufconn.Listen(1<<20)
	pb.RegisterPeerServer(server, p)
	w.mu.Lock()
	w.wires[address] = wire
	w.mu.Unlock()
	go func() { _ = server.Serve(wire) }() // ends with the test
	w.t.Cleanup(server.Stop)
	return p
}

// operate sends a request to the REST surface of a Zero, from its own machine.
func operate(s *Server, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:9"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Goal: an operator may ask any Zero; leaders of groups and of the Zeros are exchanged, and what cannot be is said. Method: three
// Zeros, one of which does not lead is asked; three Alphas of which the last one leads, and a learner.
func TestOperatorAsksAnyZero(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	follower := all[leader%3+1].Server
	await(t, "the follower to know the leader", follower.Healthy)
	alphas := map[int]*alphaPeer{}
	for i := 1; i <= 4; i++ {
		address := fmt.Sprintf("alpha%d", i)
		alphas[i] = w.alpha(address, i == 3)
		if _, err := all[leader].Connect(t.Context(), &pb.Join{Address: address, Group: 1, Learner: i == 4, Nonce: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := all[leader].Report(t.Context(), &pb.GroupReport{Group: 1, Leader: 3, Tablets: nil}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body string
		code int
		says string
	}{
		{`{"node":1}`, 200, `{"node":1}`},
		{`{"node":4}`, 400, "is a learner"},
		{`{"node":9}`, 404, "not a member of group 1"},
	} {
		if code, body := operate(follower, "POST", "/v1/groups/1/leader", c.body); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", c.body, code, body)
		}
	}
	if len(alphas[3].asked) != 1 || len(alphas[1].asked)+len(alphas[2].asked)+len(alphas[4].asked) != 0 {
		t.Errorf("asked: %v %v %v %v", alphas[1].asked, alphas[2].asked, alphas[3].asked, alphas[4].asked)
	}
	// Now Zero takes node 1 for the leader, which it is not in this world: it asks on until somebody is.
	if code, body := operate(follower, "POST", "/v1/groups/1/leader", `{"node":2}`); code != 200 || len(alphas[1].asked) != 1 || len(alphas[3].asked) != 2 {
		t.Errorf("%d %s, asked %v and %v", code, body, alphas[1].asked, alphas[3].asked)
	}
	if code, body := operate(follower, "POST", "/v1/groups/7/leader", `{"node":2}`); code != 404 || !strings.Contains(body, "no group 7") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := operate(follower, "DELETE", "/v1/nodes/4", ""); code != 200 || !strings.Contains(body, `"learner":true`) {
		t.Errorf("removing: %d %s", code, body)
	}
	var groups admin.Groups
	if code, body := operate(follower, "GET", "/v1/groups", ""); code != 200 || json.Unmarshal([]byte(body), &groups) != nil ||
		len(groups.Groups) != 2 || groups.Groups[0].Leader != leader || groups.Groups[1].Leader != 2 || len(groups.Groups[1].Voters) != 3 {
		t.Errorf("%d %s", code, body)
	}
	promoteZero(t, all, follower)
}

// promoteZero has a Zero that follows become the leader.
func promoteZero(t *testing.T, all map[uint64]*running, follower *Server) {
	t.Helper()
	code, body := operate(follower, "POST", "/v1/groups/0/leader", fmt.Sprintf(`{"node":%d}`, follower.id.Node))
	if code != 200 && code != 504 { // the old leader may not know how it went
		t.Fatalf("%d %s", code, body)
	}
	await(t, "the follower to lead", follower.Leading)
	var c admin.Cluster
	for id, r := range all {
		await(t, "every Zero to say who leads", func() bool {
			code, body := operate(r.Server, "GET", "/v1/cluster", "")
			return code == 200 && json.Unmarshal([]byte(body), &c) == nil && c.Leader == follower.id.Node
		})
		if c.Zeros != 3 || c.Alphas != 3 || c.Groups != 1 || c.Replicas != 3 {
			t.Errorf("Zero %d: %+v", id, c)
		}
	}
}

// Where no member of a group answers, the operator is told to try again.
func TestPromoteWithoutAnybody(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	z := all[leaderOf(t, all)]
	for i := range 2 {
		if _, err := z.Connect(t.Context(), &pb.Join{Address: fmt.Sprintf("nowhere%d", i), Group: 1, Nonce: uint64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if code, body := operate(z.Server, "POST", "/v1/groups/1/leader", `{"node":2}`); code != 503 || !strings.Contains(body, "no member of group 1") {
		t.Errorf("%d %s", code, body)
	}
}
