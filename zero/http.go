package zero

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"dragg/cluster/admin"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Handler returns the HTTP surface for people and tools: /health, /ready, /state, /assign, /removeNode, /moveTablet, /v1, /metrics
// and profiles.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("GET /ready", admin.ReadyHandler(s.Readiness))
	mux.HandleFunc("GET /state", s.state)
	mux.HandleFunc("GET /assign", s.assign)
	mux.HandleFunc("/removeNode", s.removeNode)
	mux.HandleFunc("/moveTablet", s.moveTablet)
	mux.Handle("/v1/", admin.NewV1(operator{s}, s.lg).Handler())
	mux.Handle("GET /metrics", s.cfg.Metrics.Handler())
	admin.Profiles(mux)
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

// assign leases uids or draws timestamps for clients that number their nodes themselves.
func (s *Server) assign(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	a, err := s.assignTo(r.Context(), ask.Get("what"), ask.Get("num"))
	admin.Audit(s.lg, r.RemoteAddr, "assign", err, "kind", ask.Get("what"), "num", ask.Get("num"))
	if err != nil {
		s.say(w, "", err)
		return
	}
	b, err := json.Marshal(a)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(b); err != nil {
		s.lg.Debug("the caller of /assign went away", "err", err)
	}
}

func (s *Server) assignTo(ctx context.Context, what, num string) (assigned, error) {
	n, err := strconv.ParseUint(num, 10, 64)
	if err != nil || n == 0 {
		return assigned{}, fault.New(fault.Invalid, "num=%q must be a number above 0", num)
	}
	var first uint64
	switch what {
	case "uids":
		uid, e := s.leader().LeaseUIDs(ctx, n)
		first, err = uint64(uid), e
	case "timestamps":
		if n > maxTimestamps {
			return assigned{}, fault.New(fault.Invalid, "cannot draw %d timestamps at once: ask for 1 to %d", n, maxTimestamps)
		}
		ts, _, e := s.leader().Timestamps(ctx, uint32(n))
		first, err = uint64(ts), e
	case "nsids":
		err = fault.New(fault.Disabled, "namespaces are not enabled on this cluster")
	default:
		err = fault.New(fault.Invalid, "what=%q must be uids or timestamps", what)
	}
	return assigned{StartID: fmt.Sprint(first), EndID: fmt.Sprint(first + n - 1)}, err
}

// removeNode takes a node out of the cluster for good, by the parameters that existing tools send: id and group. As long as there
// are no credentials it is for people on this machine only.
func (s *Server) removeNode(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	done, err := s.removeBy(r.Context(), r.RemoteAddr, ask.Get("id"), ask.Get("group"))
	admin.Audit(s.lg, r.RemoteAddr, "remove node", err, "removed", ask.Get("id"), "removed_from", ask.Get("group"))
	s.say(w, done, err)
}

// say answers with a sentence, or with what was wrong.
func (s *Server) say(w http.ResponseWriter, done string, err error) {
	if err == nil {
		if _, err := fmt.Fprintln(w, done); err != nil {
			s.lg.Debug("the caller went away before the answer", "err", err)
		}
		return
	}
	status := http.StatusBadRequest
	switch fault.ClassOf(err) {
	case fault.Denied:
		status = http.StatusForbidden
	case fault.Unavailable: // nothing is wrong with the request
		status = http.StatusServiceUnavailable
	case fault.Unknown:
		status = http.StatusGatewayTimeout
	default:
	}
	refuse(w, status, err.Error())
}

func (s *Server) removeBy(ctx context.Context, from, idText, groupText string) (string, error) {
	if err := admin.Local(from); err != nil {
		return "", err
	}
	id, err1 := strconv.ParseUint(idText, 10, 64)
	group, err2 := strconv.ParseUint(groupText, 10, 32)
	if err1 != nil || err2 != nil || id == 0 {
		return "", fault.New(fault.Invalid, "id=%q and group=%q must be numbers: see /state for the nodes that there are", idText, groupText)
	}
	if _, err := s.leader().RemoveMember(ctx, &pb.RemoveNode{Id: id, Group: uint32(group)}); err != nil {
		return "", err
	}
	return fmt.Sprintf("Removed node with group: %d, idx: %d", group, id), nil
}

// moveTablet moves a predicate to another group, by the parameters that existing tools send: tablet, group and namespace. It answers
// when the predicate is there.
func (s *Server) moveTablet(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	done, err := s.moveBy(r.Context(), r.RemoteAddr, ask.Get("tablet"), ask.Get("group"), ask.Get("namespace"))
	admin.Audit(s.lg, r.RemoteAddr, "move tablet", err, "predicate", ask.Get("tablet"), "to", ask.Get("group"))
	s.say(w, done, err)
}

func (s *Server) moveBy(ctx context.Context, from, tablet, groupText, namespaceText string) (string, error) {
	if err := admin.Local(from); err != nil {
		return "", err
	}
	group, err := strconv.ParseUint(groupText, 10, 32)
	if err != nil || tablet == "" {
		return "", fault.New(fault.Invalid,
			"tablet=%q must name a predicate and group=%q be a number: see /state for those that there are", tablet, groupText)
	}
	var namespace uint64
	if namespaceText != "" {
		if namespace, err = strconv.ParseUint(namespaceText, 0, 64); err != nil {
			return "", fault.New(fault.Invalid, "namespace=%q must be a number", namespaceText)
		}
	}
	p := graph.Predicate{Namespace: graph.Namespace(namespace), Name: tablet}
	was, err := s.MoveTablet(ctx, p, uint32(group))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Predicate: [%s] moved from group: [%d] to [%d]", p.Name, was, group), nil
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
