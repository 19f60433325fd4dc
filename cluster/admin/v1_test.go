package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// zeros answers from a state, and notes what it is asked.
type zeros struct {
	st    *pb.ZeroState
	err   error // of everything
	asked []string
}

func (z *zeros) State(context.Context) (*pb.ZeroState, error) { return z.st, z.err }

func (z *zeros) RemoveMember(_ context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error) {
	z.asked = append(z.asked, r.String())
	return &pb.RemoveReply{}, z.err
}

func (z *zeros) Promote(_ context.Context, r *pb.PromoteRequest) error {
	z.asked = append(z.asked, r.String())
	if r.Id == 99 {
		return fault.New(fault.NotFound, "node 99 is not a member of group 1")
	}
	return z.err
}

func (z *zeros) SetDrain(_ context.Context, d *pb.Drain) (*pb.RemoveReply, error) {
	z.asked = append(z.asked, d.String())
	return &pb.RemoveReply{}, z.err
}

func (z *zeros) Move(_ context.Context, m *pb.MoveStep) (*pb.MoveReply, error) {
	z.asked = append(z.asked, m.String())
	return &pb.MoveReply{Tablet: &pb.Tablet{
		Predicate: m.Predicate, Namespace: m.Namespace, Group: 1, Move: &pb.Move{Id: 30, To: m.To, BeganMs: 1},
	}}, z.err
}

func (z *zeros) SetPolicy(_ context.Context, p *pb.RebalancePolicy) error {
	z.asked = append(z.asked, p.String())
	if p.LeastGain > 1000 {
		return fault.New(fault.Invalid, "least_gain: too much")
	}
	return z.err
}

func someZeros() *zeros {
	return &zeros{st: &pb.ZeroState{
		ClusterId: "c", TsBound: 101, UidBound: 11, Replicas: 3,
		Members: []*pb.Member{
			{Id: 2, Group: 1, Address: "a2:7080"},
			{Id: 1, Group: 1, Address: "a1:7080"},
			{Id: 1, Address: "z1:5080"},
			{Id: 3, Group: 2, Address: "a3:7080", Learner: true},
		},
		Removed: []*pb.Member{{Id: 4, Group: 1, Address: "a4:7080"}},
		Tablets: []*pb.Tablet{
			{Predicate: "name", Group: 1, Incarnation: 7, Epoch: 8},
			{Predicate: "knows", Group: 1, Incarnation: 9, Epoch: 10, Move: &pb.Move{Id: 20, To: 2, Fence: 5, Tries: 1, BeganMs: 1000}},
		},
		Progress: []*pb.MoveProgress{{Id: 20, Step: "switch", Bytes: 4096}},
		Ended: []*pb.MoveEnd{
			{Id: 16, Predicate: "name", From: 1, To: 2, Outcome: pb.MoveOutcome_ENDED_DONE},
			{Id: 17, Predicate: "name", From: 2, To: 1, Outcome: pb.MoveOutcome_ENDED_CANCELLED, Reason: "enough", BeganMs: 1000, EndedMs: 2500},
		},
		Policy:  &pb.RebalancePolicy{Off: true, IntervalMs: 5000, LeastGain: 30, LeastBytes: 100},
		Leaders: map[uint32]uint64{0: 1, 1: 2},
		Silent:  []*pb.Member{{Id: 3, Group: 2}},
		Loads:   []*pb.TabletLoad{{Incarnation: 7, Bytes: 1000, Rate: 2.5, Reports: 3}},
	}}
}

// ask sends a request from an address.
func ask(z Operator, lg *slog.Logger, from, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = from
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	NewV1(z, lg).Handler().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

const here, elsewhere = "127.0.0.1:9", "192.0.2.1:9"

// What the surface shows of a state.
func TestV1Shows(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/cluster": `{"id":"c","leader":1,"replicas":3,"zeros":1,"alphas":3,"groups":2,"tablets":2,"leased_uids":10,"leased_timestamps":100}`,
		"/v1/nodes": `{"nodes":[{"id":1,"kind":"zero","group":0,"address":"z1:5080","leader":true,"learner":false,"silent":false,"draining":false},` +
			`{"id":1,"kind":"alpha","group":1,"address":"a1:7080","leader":false,"learner":false,"silent":false,"draining":false},` +
			`{"id":2,"kind":"alpha","group":1,"address":"a2:7080","leader":true,"learner":false,"silent":false,"draining":false},` +
			`{"id":3,"kind":"alpha","group":2,"address":"a3:7080","leader":false,"learner":true,"silent":true,"draining":false}],` +
			`"removed":[{"id":4,"kind":"alpha","group":1,"address":"a4:7080","leader":false,"learner":false,"silent":false,"draining":false}]}`,
		"/v1/groups": `{"groups":[{"id":0,"leader":1,"voters":[1],"learners":[],"tablets":0,"bytes":0},` +
			`{"id":1,"leader":2,"voters":[1,2],"learners":[],"tablets":2,"bytes":1000},` +
			`{"id":2,"leader":0,"voters":[],"learners":[3],"tablets":0,"bytes":0}]}`,
		"/v1/tablets": `{"tablets":[{"namespace":0,"predicate":"knows","group":1,"incarnation":9,"epoch":10,"bytes":null,"load":null,"moving_to":2},` +
			`{"namespace":0,"predicate":"name","group":1,"incarnation":7,"epoch":8,"bytes":1000,"load":2.5,"moving_to":0}]}`,
		"/v1/moves": `{"moves":[{"id":20,"namespace":0,"predicate":"knows","from":1,"to":2,"phase":"fenced","step":"switch","bytes":4096,"tries":1,` +
			`"since":"1970-01-01T00:00:01Z"}]}`,
		"/v1/operations/17": `{"id":"17","kind":"move","state":"failed","why":"enough","namespace":0,"predicate":"name","from":2,"to":1,"node":0,` +
			`"outcome":"cancelled","began":"1970-01-01T00:00:01Z","ended":"1970-01-01T00:00:02.5Z"}`,
		"/v1/rebalance/policy": `{"off":true,"interval_ms":5000,"least_gain":30,"least_bytes":100}`,
		"/v1/rebalance/plan": `{"off":true,"blocked":["node 3 of group 2 does not answer","predicate knows is moving to group 2",` +
			`"what 1 tablets weigh is not known yet, knows among them"],"moves":[]}`,
	} {
		if code, body := ask(someZeros(), slog.New(slog.DiscardHandler), elsewhere, "GET", path, ""); code != 200 || body != want {
			t.Errorf("%s: %d\n%s\n%s", path, code, body, want)
		}
	}
	empty := &zeros{st: &pb.ZeroState{TsBound: 1, UidBound: 1}}
	if code, body := ask(empty, slog.New(slog.DiscardHandler), elsewhere, "GET", "/v1/nodes", ""); code != 200 || body != `{"nodes":[],"removed":[]}` {
		t.Errorf("an empty cluster: %d %s", code, body)
	}
}

// Changes are carried out for this machine only, refused with the name of the argument that was wrong, and logged.
func TestV1Changes(t *testing.T) {
	for _, c := range []struct {
		from, method, path, body string
		code                     int
		says, asked              string
	}{
		{here, "DELETE", "/v1/nodes/2", "", 200, `"address":"a2:7080"`, "id:2 group:1"},
		{elsewhere, "DELETE", "/v1/nodes/2", "", 403, `"code":"denied"`, ""},
		{here, "DELETE", "/v1/nodes/x", "", 400, `id: \"x\" is no number`, ""},
		{here, "DELETE", "/v1/nodes/9", "", 404, `id: there is no Alpha 9; GET /v1/nodes lists them`, ""},
		{here, "DELETE", "/v1/nodes/1?kind=zero", "", 200, `"address":"z1:5080"`, "id:1"},
		{here, "DELETE", "/v1/nodes/2?kind=zero", "", 404, `id: there is no Zero 2`, ""},
		{here, "DELETE", "/v1/nodes/1?kind=one", "", 400, `kind: it is alpha or zero`, ""},
		{here, "POST", "/v1/groups/1/leader", `{"node":1}`, 200, `{"node":1}`, "group:1 id:1"},
		{here, "POST", "/v1/groups/0/leader", `{"node":2}`, 200, `{"node":2}`, "id:2"},
		{here, "POST", "/v1/groups/1/leader", `{"node":99}`, 404, `"code":"not_found","message":"node 99`, "group:1 id:99"},
		{here, "POST", "/v1/groups/1/leader", `{}`, 400, `node: say which member`, ""},
		{here, "POST", "/v1/groups/1/leader", `{"nod":1}`, 400, `unknown field`, ""},
		{here, "POST", "/v1/groups/1/leader", `{"node":1}{"node":2}`, 400, `there is more than one value in it`, ""},
		{here, "POST", "/v1/groups/1/leader", `{"node":1} x`, 400, `there is more than one value in it`, ""},
		{here, "POST", "/v1/groups/1/leader", `{"node":"` + strings.Repeat("x", maxBodyBytes) + `"}`, 400, `the body cannot be read`, ""},
		{here, "POST", "/v1/groups/1/leader", "", 400, `Content-Type`, ""},
		{here, "POST", "/v1/groups/4294967296/leader", `{"node":1}`, 400, `is no number`, ""},
		{elsewhere, "POST", "/v1/groups/1/leader", `{"node":1}`, 403, `use localhost there`, ""},
		{here, "POST", "/v1/nodes/2/drain", "{}", 202, `"id":"drain-2"`, "id:2 group:1 draining:true"},
		{here, "POST", "/v1/nodes/2/undrain", "{}", 200, `"address":"a2:7080"`, "id:2 group:1"},
		{here, "POST", "/v1/nodes/9/drain", "{}", 404, `id: there is no Alpha 9`, ""},
		{here, "POST", "/v1/nodes/2/drain", "", 400, `Content-Type`, ""},
		{elsewhere, "POST", "/v1/nodes/2/drain", "{}", 403, `use localhost there`, ""},
		{here, "POST", "/v1/tablets/name/move", `{"group":2}`, 202, `"id":"30","kind":"move","state":"running"`, `predicate:"name" kind:MOVE_BEGIN to:2`},
		{here, "POST", "/v1/tablets/name/move", `{}`, 400, `group: say which`, ""},
		{here, "POST", "/v1/tablets/name/move", `{"group":7}`, 404, `group: there is no group 7`, ""},
		{here, "POST", "/v1/tablets/a%2Fb/move", `{"group":2}`, 404, `name: there is no predicate a/b`, ""},
		{here, "POST", "/v1/tablets/name/move", `{"group":2,"namespace":3}`, 404, `name: there is no predicate`, ""},
		{elsewhere, "POST", "/v1/tablets/name/move", `{"group":2}`, 403, `use localhost there`, ""},
		{here, "DELETE", "/v1/moves/20?reason=late", "", 200, `"id":"20"`, `predicate:"knows" id:20 kind:MOVE_ABORT reason:"late"`},
		{here, "DELETE", "/v1/moves/20", "", 200, `"id":"20"`, `predicate:"knows" id:20 kind:MOVE_ABORT reason:"an operator cancelled it"`},
		{here, "DELETE", "/v1/moves/17", "", 409, `id: move 17 is over already: cancelled`, ""},
		{here, "DELETE", "/v1/moves/5", "", 404, `id: there is no move 5`, ""},
		{here, "DELETE", "/v1/moves/0", "", 404, `id: there is no move 0`, ""},
		{elsewhere, "DELETE", "/v1/moves/20", "", 403, `use localhost there`, ""},
		{here, "PUT", "/v1/rebalance/policy", `{"off":false}`, 200, `{"off":false,"interval_ms":5000,`, "interval_ms:5000 least_gain:30 least_bytes:100"},
		{here, "PUT", "/v1/rebalance/policy", `{"least_gain":2000}`, 400, `least_gain: `, "off:true interval_ms:5000 least_gain:2000 least_bytes:100"},
		{here, "PUT", "/v1/rebalance/policy", `{"interval":"1m"}`, 400, `unknown field`, ""},
		{elsewhere, "PUT", "/v1/rebalance/policy", `{"off":false}`, 403, `use localhost there`, ""},
		{here, "POST", "/v1/rebalance/run", `{}`, 409, `nothing can be moved now: node 3 of group 2 does not answer; predicate knows`, ""},
		{elsewhere, "POST", "/v1/rebalance/run", `{}`, 403, `use localhost there`, ""},
		{here, "GET", "/v1/operations/99", "", 404, `id: there is no operation`, ""},
		{here, "GET", "/v1/groups/1/leader", "", 404, `there is no GET /v1/groups/1/leader: /v1/openapi.json lists`, ""},
		{here, "GET", "/v1/nothing", "", 404, `"code":"not_found"`, ""},
	} {
		var log bytes.Buffer
		z := someZeros()
		code, body := ask(z, slog.New(slog.NewTextHandler(&log, nil)), c.from, c.method, c.path, c.body)
		asked := strings.Join(strings.Fields(strings.Join(z.asked, ";")), " ") // the text form varies its spaces
		if code != c.code || !strings.Contains(body, c.says) || asked != c.asked {
			t.Errorf("%s %s %s from %s: %d %s, asked %q", c.method, c.path, c.body, c.from, code, body, asked)
		}
		if logged := strings.Contains(log.String(), "from="+c.from); logged != (c.method != "GET") {
			t.Errorf("%s %s is logged: %q", c.method, c.path, log.String())
		}
		if strings.HasPrefix(c.body, `{"node":9`) && !strings.Contains(log.String(), `body="{\"node\":99}"`) {
			t.Errorf("what was asked is not in %s", log.String())
		}
		var e Error
		if code/100 != 2 && (json.Unmarshal([]byte(body), &e) != nil || e.Code == "" || e.Message == "") {
			t.Errorf("%s %s: %s", c.method, c.path, body)
		}
	}
}

// Each class of errors has a status of its own, and none passes for success.
func TestV1Errors(t *testing.T) {
	for c := fault.Internal; c <= fault.NotFound; c++ {
		z := &zeros{err: fault.New(c, "so it is")}
		if code, body := ask(z, slog.New(slog.DiscardHandler), here, "GET", "/v1/nodes", ""); code < 400 || !strings.Contains(body, "so it is") {
			t.Errorf("%s: %d %s", c, code, body)
		}
	}
	if code, _ := ask(&zeros{err: errors.New("plain")}, slog.New(slog.DiscardHandler), here, "GET", "/v1/nodes", ""); code != 500 {
		t.Errorf("an error without a class: %d", code)
	}
}

// document is the part of an OpenAPI document that the tests look at.
type document struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Parameters  []struct{ Name, In string }
		Responses   map[string]struct {
			Description string
			Content     map[string]struct {
				Schema struct {
					Ref string `json:"$ref"`
				}
			}
		}
	}
	Components struct {
		Schemas map[string]struct {
			Required   []string
			Properties map[string]any
		}
	}
}

func readDocument(t *testing.T) document {
	t.Helper()
	code, body := ask(someZeros(), slog.New(slog.DiscardHandler), elsewhere, "GET", "/v1/openapi.json", "")
	var d document
	if err := json.Unmarshal([]byte(body), &d); err != nil || code != 200 || !strings.HasPrefix(d.OpenAPI, "3.") || d.Info.Title == "" || d.Info.Version == "" {
		t.Fatalf("%d %v %+v", code, err, d)
	}
	return d
}

// Every route is in the served document, and every operation of that is a route; paths name their parameters; answers refer to
// schemas that there are.
func TestDocumentHasTheRoutes(t *testing.T) {
	d, described, ids := readDocument(t), map[string]bool{}, map[string]bool{}
	for path, operations := range d.Paths {
		for method, op := range operations {
			described[strings.ToUpper(method)+" "+path] = true
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" {
				t.Errorf("%s %s is called %q: %q", method, path, op.OperationID, op.Summary)
			}
			ids[op.OperationID] = true
			inPath := 0
			for _, p := range op.Parameters {
				switch {
				case p.In == "path" && strings.Contains(path, "{"+p.Name+"}"):
					inPath++
				case p.In != "query":
					t.Errorf("%s does not have %+v", path, p)
				}
			}
			if strings.Count(path, "{") != inPath {
				t.Errorf("%s has %d parameters", path, inPath)
			}
			for status, r := range op.Responses {
				ref := r.Content["application/json"].Schema.Ref
				name, ok := strings.CutPrefix(ref, "#/components/schemas/")
				if _, there := d.Components.Schemas[name]; !ok || !there || r.Description == "" || status[0] != '2' && name != "Error" {
					t.Errorf("%s %s answers %s with %q", method, path, status, ref)
				}
			}
		}
	}
	routes := map[string]bool{}
	for _, r := range NewV1(nil, nil).routes() {
		routes[r.pattern] = true
	}
	if !maps.Equal(described, routes) {
		t.Errorf("described: %v\nserved: %v", slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(routes)))
	}
}

// The schemas of the document are the types that are sent.
func TestDocumentHasTheTypes(t *testing.T) {
	d := readDocument(t)
	types := map[string]any{
		"Cluster": Cluster{}, "Node": Node{}, "Nodes": Nodes{}, "Group": GroupOf{}, "Groups": Groups{}, "Tablet": TabletOf{}, "Tablets": Tablets{},
		"Leadership": Leadership{}, "Error": Error{}, "NewNode": NewNode{}, "Addition": Addition{}, "Destination": Destination{}, "Move": MoveOf{},
		"Moves": Moves{}, "Operation": Operation{}, "Operations": Operations{}, "Policy": Policy{}, "PolicyChange": Policy{},
		"PlannedMove": PlannedMove{}, "Plan": PlanOf{},
	}
	optional := []string{"NewNode", "Destination", "PolicyChange"} // what is sent to Zero need not say everything
	if len(types) != len(d.Components.Schemas) {
		t.Errorf("%d schemas, %d types", len(d.Components.Schemas), len(types))
	}
	for name, v := range types {
		var sent []string
		for i := range reflect.TypeOf(v).NumField() {
			tag, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
			sent = append(sent, tag)
		}
		schema := d.Components.Schemas[name]
		slices.Sort(sent)
		slices.Sort(schema.Required)
		required := slices.Equal(schema.Required, sent) || slices.Contains(optional, name)
		if has := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(has, sent) || !required {
			t.Errorf("%s: described %v, required %v, sent %v", name, has, schema.Required, sent)
		}
	}
}
