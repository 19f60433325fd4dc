//go:build systest

package systest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// zeros is an endless stream of one character.
type zeros byte

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(z)
	}
	return len(p), nil
}

// Requests above the limit are refused without being kept in memory.
func TestHostileSizes(t *testing.T) {
	v := newVictim(t)
	const huge = 1<<30 + 1<<20
	for _, path := range []string{"/query", "/mutate", "/alter", "/commit?startTs=1"} {
		// A body without a length, as a stream in chunks.
		texts, err := v.post(path, "application/rdf", io.LimitReader(zeros(' '), huge))
		v.refusedHTTP("a stream of 1 GiB to "+path, texts, reset(err), true)
		v.unharmed("a stream of 1 GiB to " + path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := v.c.Stub.Query(ctx, &api.Request{Query: strings.Repeat(" ", huge)})
	if status.Code(err) != codes.ResourceExhausted || err.Error() == "" {
		t.Errorf("a message of 1 GiB: %v", err)
	}
	v.unharmed("a message of 1 GiB")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.Copy(z, io.LimitReader(zeros('{'), huge)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		texts, err := v.post("/mutate", "application/json", bytes.NewReader(bomb.Bytes()), "Content-Encoding", "gzip")
		v.refusedHTTP("a gzip bomb", texts, err, false)
		v.unharmed("a gzip bomb")
	}
	var together sync.WaitGroup
	for range 12 {
		together.Go(func() {
			texts, err := v.post("/mutate", "application/json", bytes.NewReader(bomb.Bytes()), "Content-Encoding", "gzip")
			v.refusedHTTP("many gzip bombs", texts, err, false)
		})
	}
	most := int64(0)
	done := make(chan struct{})
	go func() { together.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(50 * time.Millisecond):
			most = max(most, v.memory())
		}
	}
	if most > maxHostileMemory {
		t.Errorf("with many gzip bombs at once the server held %d MiB", most>>20)
	}
	v.unharmed("many gzip bombs")
	texts, err := v.post("/query", "application/dql", strings.NewReader("this is no gzip"), "Content-Encoding", "gzip")
	v.refusedHTTP("what is no gzip", texts, err, false)
	for name, header := range map[string][]string{
		"a huge header": {"X-Huge", strings.Repeat("x", 2<<20)}, "an odd content type": {"Content-Type", "\"" + strings.Repeat(";", 1000)},
	} {
		if _, err := v.post("/query", "application/dql", strings.NewReader("{}"), header...); err != nil {
			t.Logf("%s: %v", name, short(err.Error()))
		}
		v.unharmed(name)
	}
	big := metadata.AppendToOutgoingContext(ctx, "x-huge", strings.Repeat("x", 20<<20))
	if _, err := v.c.Stub.CheckVersion(big, &api.Check{}); err == nil || status.Convert(err).Message() == "" {
		t.Errorf("huge metadata: %v", err)
	}
	v.unharmed("huge metadata")
}

// reset passes over what a client sees when a server does not read all it sends: the answer may be lost with the connection.
func reset(err error) error {
	if err != nil && (strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe")) {
		return nil
	}
	return err
}

// raw is a codec that sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}

func (raw) Name() string { return "proto" }

// Messages that no client library would make: fields of text that are no text, and bytes that are no message.
func TestHostileMessages(t *testing.T) {
	v := newVictim(t)
	conn, err := grpc.NewClient(v.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(method string, msg []byte) error {
		ctx, cancel := context.WithTimeout(context.Background(), maxHostileTime)
		defer cancel()
		var reply []byte
		return conn.Invoke(ctx, "/api.Dgraph/"+method, &msg, &reply)
	}
	methods := []string{
		"Login", "Query", "Alter", "CommitOrAbort", "CheckVersion", "RunDQL", "AllocateIDs", "UpdateExtSnapshotStreamingState",
		"CreateNamespace", "DropNamespace", "ListNamespaces", "NoSuchMethod",
	}
	rng := rand.New(rand.NewPCG(4, 4))
	bad := "\xff\xfe\xc3("
	for _, method := range methods {
		for field := protowire.Number(1); field <= 20; field++ {
			for _, value := range []string{bad, strings.Repeat(bad, 1000), strings.Repeat("\x0a\x7f", 50)} {
				err := call(method, protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), value))
				if err != nil && status.Convert(err).Message() == "" {
					t.Errorf("%s field %d: an error without a text", method, field)
				}
			}
			_ = call(method, protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), rng.Uint64())) // any answer will do
		}
		for range 100 {
			msg := make([]byte, rng.IntN(200))
			for i := range msg {
				msg[i] = byte(rng.Uint32())
			}
			if err := call(method, msg); err != nil && status.Convert(err).Message() == "" {
				t.Errorf("%s: an error without a text", method)
			}
		}
		if method == "Alter" {
			v.seed() // some of that was an order to drop all
		}
		v.unharmed(method)
	}
	for _, body := range []string{bad, `{ q(func: eq(name, "` + bad + `")) { name } }`, `{ q(func: has(` + bad + `)) { ` + bad + ` } }`} {
		texts, err := v.post("/query", "application/dql", strings.NewReader(body))
		v.refusedHTTP("no text in a query", texts, err, true)
		texts, err = v.post("/mutate", "application/rdf", strings.NewReader("{ set { _:a <name> \""+body+"\" . } }"))
		v.refusedHTTP("no text in RDF", texts, err, true)
		texts, err = v.post("/mutate", "application/rdf", strings.NewReader("{ set { _:a <"+body+"> \"x\"@"+body+" . } }"))
		v.refusedHTTP("no text in names", texts, err, true)
		texts, err = v.post("/mutate", "application/json", strings.NewReader(`{"set": [{"name": "`+body+`"}]}`))
		v.refusedHTTP("no text in JSON", texts, err, true)
		texts, err = v.post("/alter", "text/plain", strings.NewReader(body+": string ."))
		v.refusedHTTP("no text in a schema", texts, err, true)
		texts, err = v.post("/query?startTs="+bad+"&timeout="+bad, "application/dql", strings.NewReader("{}"))
		v.refusedHTTP("no text in parameters", texts, err, true)
		v.unharmed("no text")
	}
}

// Bytes that are no protocol, and connections that never say anything, do not keep others out.
func TestHostileConnections(t *testing.T) {
	v := newVictim(t)
	rng := rand.New(rand.NewPCG(5, 5))
	http1 := strings.TrimPrefix(v.HTTP(), "http://")
	zero := strings.TrimPrefix(v.ZeroHTTP(), "http://")
	port := func(base int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(base+v.offset)) }
	for _, address := range []string{v.GRPC(), http1, zero, port(7080), port(5080)} {
		for i := range 20 {
			garbage := make([]byte, 64<<10)
			for j := range garbage {
				garbage[j] = byte(rng.Uint32())
			}
			prefix := []string{"", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /query HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/9.9\r\n\r\n"}[i%4]
			shout(t, address, append([]byte(prefix), garbage...))
		}
		v.unharmed("garbage on " + address)
	}
	var idle []net.Conn
	for i := range 400 {
		c, err := net.Dial("tcp", []string{v.GRPC(), http1, zero, port(5080)}[i%4])
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
		if _, err := io.WriteString(c, []string{"", "POST /query HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"}[i%3]); err != nil {
			t.Fatal(err)
		}
	}
	v.unharmed("400 connections that say nothing more")
	// Who sends half a header is shown the door.
	half := idle[1]
	if err := half.SetReadDeadline(time.Now().Add(maxHostileTime)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(half).ReadString(0); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("half a header is waited for: %v", err)
	}
	for _, c := range idle {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	v.unharmed("the end")
}

// shout sends bytes to a port and waits a moment for the other end to hang up.
func shout(t *testing.T, address string, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(b); err == nil {
		_, _ = io.Copy(io.Discard, c) // the other end may hang up or not
	}
}
