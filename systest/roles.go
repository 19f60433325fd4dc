package systest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// roles is who leads which group, as a Zero knows.
type roles struct {
	leaders []*Node
	group   map[string]string // by node
}

// title names a node by what it is: "leader of group 1", "zero".
func (r roles) title(n *Node) string {
	kind := strings.TrimRight(n.Name, "0123456789")
	if slices.Contains(r.leaders, n) {
		return "leading " + kind
	}
	return kind
}

// membership is what is read of Zero's /state.
type membership struct {
	Groups map[string]struct {
		Members map[string]struct {
			Addr   string
			Leader bool
		}
		Tablets map[string]any
	}
	Zeros map[string]struct {
		Addr   string
		Leader bool
	}
}

// roles asks the Zeros who leads. Where none answers nobody does.
func (c *Cluster) roles(ctx context.Context) roles {
	for _, z := range c.Zeros {
		m, err := z.membership(ctx)
		if err != nil {
			continue
		}
		r := roles{group: map[string]string{}}
		of := map[string]*Node{}
		for _, n := range c.Nodes() {
			of[c.advertised(n, 5080)], of[c.advertised(n, 7080)] = n, n
		}
		add := func(address, group string, leads bool) {
			if n := of[address]; n != nil {
				r.group[n.Name] = group
				if leads {
					r.leaders = append(r.leaders, n)
				}
			}
		}
		for group, g := range m.Groups {
			for _, member := range g.Members {
				add(member.Addr, group, member.Leader)
			}
		}
		for _, member := range m.Zeros {
			add(member.Addr, "0", member.Leader)
		}
		slices.SortFunc(r.leaders, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
		if len(r.leaders) > 0 {
			return r
		}
	}
	return roles{group: map[string]string{}}
}

func (d *Dragg) membership(ctx context.Context) (*membership, error) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.ZeroHTTP()+"/state", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	m := &membership{}
	return m, json.NewDecoder(resp.Body).Decode(m)
}
