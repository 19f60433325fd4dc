package alpha

import (
	"context"
	"strings"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"dragg/dql"
	"dragg/internal/fault"
)

// service is the client API over gRPC.
type service struct {
	api.UnimplementedDgraphServer
	n *Node
}

// Register adds the client API to a gRPC server. One that is made with ServerOptions takes less time for each request.
func (n *Node) Register(r grpc.ServiceRegistrar) { api.RegisterDgraphServer(r, &service{n: n}) }

// ServerOptions returns what suits a gRPC server that does little but serve the client API.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ForceServerCodecV2(newCodec()), grpc.InTapHandle(keepHeaders)}
}

// headersKey is under what a request's context has the metadata, not to be changed.
type headersKey struct{}

// keepHeaders puts the metadata of a query where they can be read without a copy.
func keepHeaders(ctx context.Context, stream *tap.Info) (context.Context, error) {
	if stream.FullMethodName != api.Dgraph_Query_FullMethodName {
		return ctx, nil
	}
	return context.WithValue(ctx, headersKey{}, stream.Header), nil
}

// Query implements api.DgraphServer.
func (s *service) Query(ctx context.Context, req *api.Request) (*api.Response, error) {
	resp, err := s.do(ctx, req, nil)
	return resp, fault.ToGRPC(err)
}

// do carries out a request. doc is the document that its mutations were read from, if they were.
func (s *service) do(ctx context.Context, req *api.Request, doc document) (*api.Response, error) {
	opts, err := optionsOf(ctx)
	if err != nil {
		return nil, err
	}
	opts.document = doc
	return s.n.Do(ctx, req, opts)
}

// optionsOf reads what clients say in metadata.
func optionsOf(ctx context.Context) (opts Options, err error) {
	md, ok := ctx.Value(headersKey{}).(metadata.MD)
	if !ok {
		md, _ = metadata.FromIncomingContext(ctx) // a copy
	}
	first := func(name string) string {
		if v := md[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	opts.Debug = first("debug") == "true"
	opts.Explain, opts.Profile = first(explainWord) == "true", first(profileWord) == "true"
	opts.Limits, err = readQueryLimits(first)
	return opts, fault.As(fault.Invalid, err)
}

// Alter implements api.DgraphServer.
func (s *service) Alter(ctx context.Context, op *api.Operation) (*api.Payload, error) {
	from := "" // somebody in this process
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr.String()
	}
	if err := s.n.alterFor(ctx, from, op); err != nil {
		return nil, fault.ToGRPC(err)
	}
	return &api.Payload{Data: []byte("Done")}, nil
}

// CommitOrAbort implements api.DgraphServer.
func (s *service) CommitOrAbort(ctx context.Context, t *api.TxnContext) (*api.TxnContext, error) {
	out, err := s.n.CommitOrAbort(ctx, t)
	return out, fault.ToGRPC(err)
}

// CheckVersion implements api.DgraphServer.
func (s *service) CheckVersion(context.Context, *api.Check) (*api.Version, error) {
	return &api.Version{Tag: s.n.cfg.Version}, nil
}

// RunDQL implements api.DgraphServer: a query, or a document that changes data and is committed at once. The document may be JSON.
func (s *service) RunDQL(ctx context.Context, r *api.RunDQLRequest) (*api.Response, error) {
	req := &api.Request{
		Query: r.DqlQuery, Vars: r.Vars, ReadOnly: r.ReadOnly, BestEffort: r.BestEffort, RespFormat: r.RespFormat,
	}
	doc, err := documentOf(r.DqlQuery)
	if err != nil {
		return nil, fault.ToGRPC(fault.As(fault.Invalid, err))
	}
	if doc != nil {
		stated := doc.request()
		req.Query, req.Mutations, req.CommitNow = stated.Query, stated.Mutations, true
	}
	resp, err := s.do(ctx, req, doc)
	return resp, fault.ToGRPC(err)
}

// documentOf reads a text as a document with mutations; nil for a query.
func documentOf(text string) (document, error) {
	switch {
	case dql.IsMutation(text):
		return readRDFDocument(text)
	case isJSONObject(text):
		return readJSONDocument([]byte(text))
	}
	return nil, nil
}

// isJSONObject reports whether a text begins as one; no query does.
func isJSONObject(text string) bool {
	inner, ok := strings.CutPrefix(strings.TrimSpace(text), "{")
	return ok && strings.HasPrefix(strings.TrimSpace(inner), `"`)
}

// What one request for ids may ask for.
const (
	maxAllocate           = 1 << 32
	maxAllocateTimestamps = 1 << 16
)

// AllocateIDs implements api.DgraphServer.
func (s *service) AllocateIDs(ctx context.Context, r *api.AllocateIDsRequest) (*api.AllocateIDsResponse, error) {
	most := uint64(maxAllocate)
	if r.LeaseType == api.LeaseType_TS {
		most = maxAllocateTimestamps
	}
	if r.HowMany == 0 || r.HowMany > most {
		return nil, fault.ToGRPC(fault.New(fault.Invalid, "cannot allocate %d ids at once: ask for 1 to %d", r.HowMany, most))
	}
	var first uint64
	switch r.LeaseType {
	case api.LeaseType_UID:
		uid, err := s.n.zero.LeaseUIDs(ctx, r.HowMany)
		if err != nil {
			return nil, fault.ToGRPC(err)
		}
		first = uint64(uid)
	case api.LeaseType_TS:
		ts, _, err := s.n.zero.Timestamps(ctx, uint32(r.HowMany))
		if err != nil {
			return nil, fault.ToGRPC(err)
		}
		first = uint64(ts)
	default:
		return nil, disabled("namespaces")
	}
	return &api.AllocateIDsResponse{Start: first, End: first + r.HowMany - 1}, nil
}

// disabled names a feature that this server does not offer.
func disabled(what string) error { return fault.ToGRPC(notEnabled(what)) }

func notEnabled(what string) error {
	return fault.New(fault.Disabled, "%s: not enabled on this server", what)
}

// Login implements api.DgraphServer.
func (s *service) Login(context.Context, *api.LoginRequest) (*api.Response, error) {
	return nil, disabled("access control")
}

// CreateNamespace implements api.DgraphServer.
func (s *service) CreateNamespace(context.Context, *api.CreateNamespaceRequest) (*api.CreateNamespaceResponse, error) {
	return nil, disabled("namespaces")
}

// DropNamespace implements api.DgraphServer.
func (s *service) DropNamespace(context.Context, *api.DropNamespaceRequest) (*api.DropNamespaceResponse, error) {
	return nil, disabled("namespaces")
}

// ListNamespaces implements api.DgraphServer.
func (s *service) ListNamespaces(context.Context, *api.ListNamespacesRequest) (*api.ListNamespacesResponse, error) {
	return nil, disabled("namespaces")
}

// UpdateExtSnapshotStreamingState implements api.DgraphServer.
func (s *service) UpdateExtSnapshotStreamingState(
	context.Context, *api.UpdateExtSnapshotStreamingStateRequest,
) (*api.UpdateExtSnapshotStreamingStateResponse, error) {
	return nil, disabled("bulk import over the network")
}

// StreamExtSnapshot implements api.DgraphServer.
func (s *service) StreamExtSnapshot(api.Dgraph_StreamExtSnapshotServer) error {
	return disabled("bulk import over the network")
}
