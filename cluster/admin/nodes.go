package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// node returns the node that the path names. Ids of Alphas are never given out twice, so that the id alone names one; Zeros are
// numbered apart.
func (v *V1) node(r *http.Request, zero bool) (*pb.ZeroState, *pb.Member, error) {
	id, err := pathNumber(r, "id", 64)
	if err != nil {
		return nil, nil, err
	}
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(st.Members, func(m *pb.Member) bool { return m.Id == id && (m.Group == 0) == zero })
	switch {
	case i >= 0:
		return st, st.Members[i], nil
	case zero:
		return nil, nil, fault.New(fault.NotFound, "id: there is no Zero %d; GET /v1/nodes lists them", id)
	}
	return nil, nil, fault.New(fault.NotFound, "id: there is no Alpha %d; GET /v1/nodes lists them", id)
}

// NewNode is the body of POST /v1/nodes: what an Alpha that is to be started shall be.
type NewNode struct {
	Group   uint32 `json:"group"` // 0 lets Zero choose
	Learner bool   `json:"learner"`
}

// Addition is the answer of POST /v1/nodes.
type Addition struct {
	Command string `json:"command"` // to be run on the machine of the new node
	Note    string `json:"note"`
}

// addNode says how a node is added: nothing changes until it is started.
func (v *V1) addNode(r *http.Request) (any, error) {
	var want NewNode
	if err := readBody(r, &want); err != nil {
		return nil, err
	}
	st, err := v.zeros.State(r.Context())
	if err != nil {
		return nil, err
	}
	command := "dragg alpha --zero " + strings.Join(zerosOf(st), ",") + " --my HOST:7080 --data DIR"
	if want.Learner {
		command += " --learner"
	}
	if want.Group != 0 {
		if err := room(st, want); err != nil {
			return nil, err
		}
		command += fmt.Sprintf(" --group %d", want.Group)
	}
	return Addition{command, "Put the name under which other nodes reach it for HOST, and an empty folder for DIR."}, nil
}

func zerosOf(st *pb.ZeroState) (addresses []string) {
	for _, m := range members(st) {
		if m.Group == 0 {
			addresses = append(addresses, m.Address)
		}
	}
	return addresses
}

// room returns nil if a group can take such a node. Zero has the last word when it joins.
func room(st *pb.ZeroState, want NewNode) error {
	voters, last, gone := 0, uint32(0), false
	for _, m := range st.Members {
		last = max(last, m.Group)
		if m.Group == want.Group && !m.Learner {
			voters++
		}
	}
	for _, m := range st.Removed {
		last, gone = max(last, m.Group), gone || m.Group == want.Group
	}
	switch {
	case voters == 0 && gone:
		return fault.New(fault.Invalid, "group: group %d is no more, and its number is not used again; the next new one is %d",
			want.Group, last+1)
	case voters == 0 && want.Learner:
		return fault.New(fault.Invalid, "group: group %d has nobody that a learner could copy", want.Group)
	case want.Group > last+1:
		return fault.New(fault.Invalid, "group: there is no group %d; the next new one is %d", want.Group, last+1)
	case !want.Learner && voters >= int(st.Replicas):
		return fault.New(fault.Conflict, "group: group %d is full: it has %d of %d voters; remove one, ask for a learner, or for another group",
			want.Group, voters, st.Replicas)
	}
	return nil
}

// removeNode takes a node out of the cluster for good.
func (v *V1) removeNode(r *http.Request) (any, error) {
	kind := r.URL.Query().Get("kind")
	if kind != "" && kind != "alpha" && kind != "zero" {
		return nil, fault.New(fault.Invalid, "kind: it is alpha or zero, not %q", kind)
	}
	st, m, err := v.node(r, kind == "zero")
	if err != nil {
		return nil, err
	}
	if _, err := v.zeros.RemoveMember(r.Context(), &pb.RemoveNode{Id: m.Id, Group: m.Group}); err != nil {
		return nil, err
	}
	return nodeOf(st, m), nil
}

// drain has an Alpha emptied: it leads nothing where others can, and a group of such nodes gives its tablets away.
func (v *V1) drain(r *http.Request) (any, error) {
	st, m, err := v.setDrain(r, true)
	if err != nil {
		return nil, err
	}
	return begun{drainOf(st, m)}, nil
}

// undrain ends that.
func (v *V1) undrain(r *http.Request) (any, error) {
	st, m, err := v.setDrain(r, false)
	if err != nil {
		return nil, err
	}
	return nodeOf(st, m), nil
}

func (v *V1) setDrain(r *http.Request, draining bool) (*pb.ZeroState, *pb.Member, error) {
	_, m, err := v.node(r, false)
	if err != nil {
		return nil, nil, err
	}
	if _, err := v.zeros.SetDrain(r.Context(), &pb.Drain{Id: m.Id, Group: m.Group, Draining: draining}); err != nil {
		return nil, nil, err
	}
	return v.node(r, false) // as it is now
}

// Leadership is the body of POST /v1/groups/{id}/leader, and the answer to it.
type Leadership struct {
	Node uint64 `json:"node"`
}

// promote has a voter of a group lead it.
func (v *V1) promote(r *http.Request) (any, error) {
	group, err := pathNumber(r, "id", 32)
	if err != nil {
		return nil, err
	}
	var want Leadership
	if err := readBody(r, &want); err != nil {
		return nil, err
	}
	if want.Node == 0 {
		return nil, fault.New(fault.Invalid, "node: say which member of group %d shall lead it; GET /v1/groups lists the voters", group)
	}
	if err := v.zeros.Promote(r.Context(), &pb.PromoteRequest{Group: uint32(group), Id: want.Node}); err != nil {
		return nil, err
	}
	return want, nil
}
