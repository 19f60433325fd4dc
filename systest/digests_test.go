//go:build systest

package systest

import (
	"context"
	"fmt"
	"testing"

	"dragg/protos/pb"
)

// sameReplicas checks that all replicas of each group hold the same as of one timestamp, predicate by predicate. Every node must be up.
func sameReplicas(ctx context.Context, t *testing.T, c *Cluster) {
	t.Helper()
	z := c.Zero()
	ts, _, err := z.Timestamps(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	st, err := z.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, tb := range st.Tablets {
		r := &pb.CopyRequest{Group: tb.Group, Namespace: tb.Namespace, Predicate: tb.Predicate, Upto: min(uint64(ts), st.Decided)}
		sums := map[string]string{}
		for _, m := range st.Members {
			if m.Group != tb.Group {
				continue
			}
			conn, err := c.pool.Conn(m.Address)
			if err != nil {
				t.Fatal(err)
			}
			eventually(ctx, t, fmt.Sprintf("the digest of %s at %s", tb.Predicate, m.Address), func() error {
				d, err := pb.NewPeerClient(conn).Digest(ctx, r)
				sums[fmt.Sprint(d.GetDigest())] += m.Address + " "
				return err
			})
			compared++
		}
		delete(sums, fmt.Sprint((*pb.Digest)(nil))) // of those that could not tell at first
		if len(sums) > 1 {
			t.Errorf("the replicas of group %d do not hold the same of %s: %v", tb.Group, tb.Predicate, sums)
		}
	}
	t.Logf("%d digests of %d predicates agree", compared, len(st.Tablets))
}
