package alpha

import (
	"slices"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// codec is gRPC's codec for Protocol Buffers with a short way for responses: the general one looks at each field and each entry of a
// map by reflection, twice, and takes as long for a small answer as finding it.
type codec struct{ encoding.CodecV2 }

// newCodec returns the codec for servers of the client API. What it writes is what the general one reads, and writes itself but for
// the order of maps.
func newCodec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

// shortAnswer is up to how many bytes an answer is written here; the memory for larger ones is better taken from gRPC's pool.
const shortAnswer = 16 << 10

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	r, ok := v.(*api.Response)
	if !ok || r == nil || len(r.Json)+len(r.Rdf) > shortAnswer || len(r.Hdrs) > 0 {
		return c.CodecV2.Marshal(v)
	}
	const others = 192 // bytes beside the answer, mostly
	return mem.BufferSlice{mem.SliceBuffer(appendResponse(make([]byte, 0, len(r.Json)+len(r.Rdf)+others), r))}, nil
}

func appendResponse(dst []byte, r *api.Response) []byte {
	dst = appendBytes(dst, 1, r.Json)
	if t := r.Txn; t != nil {
		dst = appendMessage(dst, 2, func(dst []byte) []byte { return appendTxn(dst, t) })
	}
	if l := r.Latency; l != nil {
		dst = appendMessage(dst, 3, func(dst []byte) []byte {
			for i, ns := range [...]uint64{l.ParsingNs, l.ProcessingNs, l.EncodingNs, l.AssignTimestampNs, l.TotalNs} {
				dst = appendNumber(dst, protowire.Number(1+i), ns)
			}
			return dst
		})
	}
	if m := r.Metrics; m != nil {
		dst = appendMessage(dst, 4, func(dst []byte) []byte {
			for name, n := range m.NumUids {
				dst = appendMessage(dst, 1, func(dst []byte) []byte { return appendNumber(appendText(dst, 1, name), 2, n) })
			}
			return dst
		})
	}
	for name, uid := range r.Uids {
		dst = appendMessage(dst, 12, func(dst []byte) []byte { return appendText(appendText(dst, 1, name), 2, uid) })
	}
	return appendBytes(dst, 13, r.Rdf)
}

func appendTxn(dst []byte, t *api.TxnContext) []byte {
	dst = appendNumber(appendNumber(dst, 1, t.StartTs), 2, t.CommitTs)
	if t.Aborted {
		dst = appendNumber(dst, 3, 1)
	}
	for _, key := range t.Keys {
		dst = protowire.AppendString(protowire.AppendTag(dst, 4, protowire.BytesType), key)
	}
	for _, pred := range t.Preds {
		dst = protowire.AppendString(protowire.AppendTag(dst, 5, protowire.BytesType), pred)
	}
	return appendText(dst, 6, t.Hash)
}

// appendMessage appends a message that body appends, with its length before it.
func appendMessage(dst []byte, field protowire.Number, body func(dst []byte) []byte) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	at := len(dst)
	dst = body(append(dst, 0)) // most are so short that one byte says it
	n := len(dst) - at - 1
	if n < 1<<7 {
		dst[at] = byte(n)
		return dst
	}
	return slices.Replace(dst, at, at+1, protowire.AppendVarint(nil, uint64(n))...)
}

// The fields below are left out where they say nothing.

func appendNumber(dst []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), n)
}

func appendText(dst []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, field, protowire.BytesType), s)
}

func appendBytes(dst []byte, field protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), b)
}
