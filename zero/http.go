package zero

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"dragg/cluster/admin"
	"dragg/graph"
	"dragg/protos/pb"
)

// Handler returns the HTTP surface for people and tools: /health, /ready, /state, /assign, /removeNode, /moveTablet, /metrics.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("GET /ready", admin.ReadyHandler(s.Readiness))
	mux.HandleFunc("GET /state", s.state)
	mux.HandleFunc("GET /assign", s.assign)
	mux.HandleFunc("/removeNode", s.removeNode)
	mux.HandleFunc("/moveTablet", s.moveTablet)
	mux.Handle("GET /metrics", s.cfg.Metrics.Handler())
	return mux
}

// state answers with what the leader knows, or where none is found with what this Zero knows.
func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	st, err := s.leader().State(r.Context())
	if err != nil {
		st = s.describe()
	}
	b, err := admin.MembershipJSON(st)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(b); err != nil {
		s.lg.Debug("the reader of /state went away", "err", err)
	}
}

// assigned is the answer of /assign: ids from startId to endId, both included, are the caller's.
type assigned struct {
	StartID  string `json:"startId"`
	EndID    string `json:"endId"`
	ReadOnly string `json:"readOnly,omitempty"`
}

func (s *Server) assign(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.URL.Query().Get("num"), 10, 64)
	if err != nil || n == 0 {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("num=%q must be a number above 0", r.URL.Query().Get("num")))
		return
	}
	var first uint64
	switch what := r.URL.Query().Get("what"); what {
	case "uids":
		uid, e := s.leader().LeaseUIDs(r.Context(), n)
		first, err = uint64(uid), e
	case "timestamps":
		if n > maxTimestamps {
			err = fmt.Errorf("cannot draw %d timestamps at once: ask for 1 to %d", n, maxTimestamps)
			break
		}
		ts, _, e := s.leader().Timestamps(r.Context(), uint32(n))
		first, err = uint64(ts), e
	case "nsids":
		err = fmt.Errorf("namespaces are not enabled on this cluster")
	default:
		err = fmt.Errorf("what=%q must be uids or timestamps", what)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	b, err := json.Marshal(assigned{StartID: fmt.Sprint(first), EndID: fmt.Sprint(first + n - 1)})
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(b); err != nil {
		s.lg.Debug("the caller of /assign went away", "err", err)
	}
}

// removeNode takes a node out of the cluster for good, by the parameters that existing tools send: id and group. As long as there
// are no credentials it is for people on this machine only.
func (s *Server) removeNode(w http.ResponseWriter, r *http.Request) {
	if !fromHere(r) {
		refuse(w, http.StatusForbidden, "nodes are removed by requests from the machine of a Zero only: use localhost there")
		return
	}
	id, err1 := strconv.ParseUint(r.URL.Query().Get("id"), 10, 64)
	group, err2 := strconv.ParseUint(r.URL.Query().Get("group"), 10, 32)
	if err1 != nil || err2 != nil || id == 0 {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("id=%q and group=%q must be numbers: see /state for the nodes that there are",
			r.URL.Query().Get("id"), r.URL.Query().Get("group")))
		return
	}
	if group == 0 {
		refuse(w, http.StatusBadRequest, "removing a Zero is not possible yet")
		return
	}
	if _, err := s.leader().RemoveMember(r.Context(), &pb.RemoveNode{Id: id, Group: uint32(group)}); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	fmt.Fprintf(w, "Removed node with group: %d, idx: %d\n", group, id)
}

// moveTablet moves a predicate to another group, by the parameters that existing tools send: tablet, group and namespace. It answers
// when the predicate is there.
func (s *Server) moveTablet(w http.ResponseWriter, r *http.Request) {
	if !fromHere(r) {
		refuse(w, http.StatusForbidden, "tablets are moved by requests from the machine of a Zero only: use localhost there")
		return
	}
	q := r.URL.Query()
	group, err := strconv.ParseUint(q.Get("group"), 10, 32)
	if err != nil || q.Get("tablet") == "" {
		refuse(w, http.StatusBadRequest, fmt.Sprintf(
			"tablet=%q must name a predicate and group=%q be a number: see /state for those that there are", q.Get("tablet"), q.Get("group")))
		return
	}
	var namespace uint64
	if text := q.Get("namespace"); text != "" {
		if namespace, err = strconv.ParseUint(text, 0, 64); err != nil {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("namespace=%q must be a number", text))
			return
		}
	}
	p := graph.Predicate{Namespace: graph.Namespace(namespace), Name: q.Get("tablet")}
	from, err := s.MoveTablet(r.Context(), p, uint32(group))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	fmt.Fprintf(w, "Predicate: [%s] moved from group: [%d] to [%d]\n", p.Name, from, group)
}

// fromHere reports whether a request comes from this machine.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// refuse answers with the error envelope that clients of the HTTP API know.
func refuse(w http.ResponseWriter, status int, message string) {
	b, err := json.Marshal(map[string]any{
		"errors": []any{map[string]any{"message": message, "extensions": map[string]string{"code": "ErrorInvalidRequest"}}},
	})
	if err != nil {
		http.Error(w, message, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		return // the caller went away
	}
}
