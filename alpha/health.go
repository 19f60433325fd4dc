package alpha

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"dragg/protos/pb"
	"dragg/schema"
)

// health is one node in the answer of /health, with the names that existing tools look for.
type health struct {
	Instance string   `json:"instance"`
	Address  string   `json:"address"`
	Status   string   `json:"status"`
	Group    string   `json:"group"`
	Version  string   `json:"version,omitempty"` // of this node only, as what follows
	Uptime   int64    `json:"uptime,omitempty"`
	LastEcho int64    `json:"lastEcho,omitempty"`
	Ongoing  []string `json:"ongoing,omitempty"`
	Indexing []string `json:"indexing,omitempty"` // the predicates for which indexes, reverse edges or counts are built
	MaxTs    uint64   `json:"max_assigned,omitempty"`
}

// What /health says of a node.
const (
	healthy   = "healthy"
	notReady  = "not ready"
	unhealthy = "unhealthy"
)

// httpHealth serves /health: whether this node answers requests; with ?all what it hears of every node of the cluster, with ?live
// only that the process runs.
func (n *Node) httpHealth(w http.ResponseWriter, r *http.Request) {
	ask, nodes := r.URL.Query(), []health{n.health()}
	status := http.StatusOK
	if !n.Ready() && !ask.Has("live") && !ask.Has("all") {
		status = http.StatusServiceUnavailable
	}
	if ask.Has("all") {
		nodes = append(nodes, n.healthOfOthers(r.Context())...)
	}
	b, err := json.Marshal(nodes)
	if err != nil {
		sendError(w, codeError, err.Error(), false)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		return // the client went away
	}
}

// health is what this node says of itself.
func (n *Node) health() health {
	now := time.Now()
	h := health{
		Instance: "alpha", Address: n.cfg.My, Status: healthy, Group: strconv.Itoa(int(n.group)), Version: n.cfg.Version,
		Uptime: int64(now.Sub(n.started).Seconds()), LastEcho: now.Unix(), MaxTs: uint64(n.shard.Watermark()),
	}
	if !n.Ready() {
		h.Status = notReady
	}
	h.builds(n.shard.Schema().Predicates())
	return h
}

// builds notes what is built of predicates, so that one can wait for it.
func (h *health) builds(defs []*schema.Predicate) {
	for _, def := range defs {
		if len(def.Building) > 0 {
			h.Ongoing = []string{"opIndexing"}
			h.Indexing = append(h.Indexing, def.Name.String())
		}
	}
}

// echoTimeout bounds the wait for another node's answer.
const echoTimeout = time.Second

// healthOfOthers asks every other node that this one knows of, all at the same time.
func (n *Node) healthOfOthers(ctx context.Context) []health {
	ctx, cancel := context.WithTimeout(ctx, echoTimeout)
	defer cancel()
	members := slices.DeleteFunc(slices.Clone(n.shard.Members()), func(m *pb.Member) bool {
		return m.Group == uint32(n.group) && m.Id == n.id.Node
	})
	slices.SortFunc(members, func(a, b *pb.Member) int {
		if a.Group != b.Group {
			return int(a.Group) - int(b.Group)
		}
		return int(a.Id) - int(b.Id)
	})
	out := make([]health, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		asking.Go(func() { out[i] = n.echo(ctx, m) })
	}
	asking.Wait()
	return out
}

// echo asks one node.
func (n *Node) echo(ctx context.Context, m *pb.Member) health {
	h := health{Instance: "alpha", Address: m.Address, Status: unhealthy, Group: strconv.Itoa(int(m.Group))}
	if m.Group == 0 {
		h.Instance = "zero"
	}
	if err := n.ping(ctx, m); err == nil {
		h.Status, h.LastEcho = healthy, time.Now().Unix()
	}
	return h
}

// ping returns nil if the node answers that it serves. A node without a way to others has a Zero in its own process.
func (n *Node) ping(ctx context.Context, m *pb.Member) error {
	if n.cfg.Pool == nil {
		_, err := n.zero.State(ctx)
		return err
	}
	conn, err := n.cfg.Pool.Conn(m.Address)
	if err != nil {
		return err
	}
	r, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err == nil && r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return errNotReady
	}
	return err
}
