package alpha

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the general codec
	"google.golang.org/protobuf/proto"
)

// someResponse returns a response with some of its fields set, to small and to large values.
func someResponse(rnd *rand.Rand) *api.Response {
	text := func() string { return strings.Repeat("ä", rnd.IntN(3)*rnd.IntN(100)) }
	number := func() uint64 { return rnd.Uint64() >> rnd.IntN(64) * rnd.Uint64N(2) }
	r := &api.Response{Json: []byte(text()), Rdf: []byte(text())}
	if rnd.IntN(4) > 0 {
		r.Txn = &api.TxnContext{StartTs: number(), CommitTs: number(), Aborted: rnd.IntN(2) == 0, Hash: text()}
		for range rnd.IntN(3) {
			r.Txn.Keys, r.Txn.Preds = append(r.Txn.Keys, text()), append(r.Txn.Preds, text())
		}
	}
	if rnd.IntN(4) > 0 {
		r.Latency = &api.Latency{
			ParsingNs: number(), ProcessingNs: number(), EncodingNs: number(), AssignTimestampNs: number(), TotalNs: number(),
		}
	}
	if rnd.IntN(4) > 0 {
		r.Metrics, r.Uids = &api.Metrics{NumUids: map[string]uint64{}}, map[string]string{}
		for range rnd.IntN(20) {
			r.Metrics.NumUids[text()], r.Uids[text()] = number(), text()
		}
	}
	if rnd.IntN(4) == 0 {
		r.Hdrs = map[string]*api.ListOfString{"a": {Value: []string{text()}}}
	}
	return r
}

// Goal: clients read what the codec writes. Method: random responses, read by the general codec.
func TestCodec(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	for range 20_000 {
		want, got := someResponse(rnd), &api.Response{}
		b, err := newCodec().Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(b.Materialize(), got); err != nil || !proto.Equal(got, want) {
			t.Fatalf("%v was read as %v, %v", want, got, err)
		}
	}
}

// A version of the API with fields that the codec does not know would lose them.
func TestCodecKnowsAllFields(t *testing.T) {
	for m, want := range map[proto.Message]string{
		&api.Response{}: "json txn latency metrics uids rdf hdrs", &api.TxnContext{}: "start_ts commit_ts aborted keys preds hash",
		&api.Latency{}: "parsing_ns processing_ns encoding_ns assign_timestamp_ns total_ns", &api.Metrics{}: "num_uids",
	} {
		fields := m.ProtoReflect().Descriptor().Fields()
		var names []string
		for i := range fields.Len() {
			names = append(names, string(fields.Get(i).Name()))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has the fields %s", m.ProtoReflect().Descriptor().Name(), got)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	r := &api.Response{
		Json: []byte(`{"q":[{"handle":"user17","name":"Ada Lovelace","age":36}]}`), Txn: &api.TxnContext{StartTs: 123456},
		Latency: &api.Latency{ParsingNs: 2000, ProcessingNs: 12000, EncodingNs: 900, AssignTimestampNs: 1500, TotalNs: 18000},
		Metrics: &api.Metrics{NumUids: map[string]uint64{"": 1, "handle": 1, "name": 1, "age": 1, "_total": 4}},
	}
	for name, c := range map[string]encoding.CodecV2{"general": encoding.GetCodecV2("proto"), "own": newCodec()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Marshal(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
