//go:build systest

package systest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/cycle"
	"dragg/systest/history"
	"dragg/systest/workload"
)

var (
	chaosTime      = flag.Duration("chaos-time", 25*time.Second, "how long the cluster is disturbed")
	chaosSeed      = flag.Uint64("chaos-seed", 0, "seed of the disturbances; 0 for one of its own")
	chaosReplicas  = flag.Int("chaos-replicas", 3, "replicas of each of two groups that are disturbed")
	chaosClients   = flag.Int("chaos-clients", 3, "clients of each workload")
	chaosFaults    = flag.String("chaos-faults", "kill,pause,partition,move", "what is done to the cluster; empty for nothing")
	chaosWorkloads = flag.String("chaos-workload", "", "which workloads run; empty for all")
	chaosKeep      = flag.String("chaos-keep", "", "folder that gets the histories and the nodes' logs; empty for none")
)

// ours is where the uids begin that workloads choose themselves, and leased how many there are.
const (
	ours   = 1 << 16
	leased = 2_000_000
)

// chaos is one run: a cluster, everybody who works on it, and whoever disturbs it.
type chaos struct {
	*testing.T
	c       *Cluster
	clients []*Client
	bank    *bank // nil if it is not asked for
	crowd   *workload.Crowd
	nemesis *Nemesis
	mover   *mover // nil if tablets stay where they are
	seed    uint64
	began   time.Time
}

// Goal: a cluster keeps its word while its processes die and freeze and the ways between them are cut: no acknowledged write is lost,
// and every history is what its workload allows, strong snapshot isolation above all. Method: three Zeros and two groups of three
// Alphas over which every workload is spread; all of them run at once at all Alphas while tablets move from group to group and a nemesis
// makes up to three faults at a time, at leaders half of the time, and heals them; then everybody must get something done soon, everything is read at every Alpha,
// every record checked, and every folder.
func TestChaos(t *testing.T) {
	k := &chaos{T: t, seed: *chaosSeed, began: time.Now()}
	if k.seed == 0 {
		k.seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to see this again: -chaos-seed %d", k.seed)
	k.c, k.clients = startMeshCluster(t, Size{Zeros: 3, Alphas: 2 * *chaosReplicas, Replicas: *chaosReplicas})
	ctx, cancel := context.WithTimeout(t.Context(), *chaosTime+10*time.Minute)
	defer cancel()
	k.prepare(ctx)
	defer k.keep()
	work, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { k.crowd.Run(work) })
	if k.bank != nil {
		for p := range *chaosClients {
			workers.Go(func() { k.bank.client(work, p+1, k.clients, k.seed) })
		}
	}
	if k.mover != nil {
		workers.Go(func() { k.mover.run(work, newRNG(k.seed, 1), movePause, "") })
	}
	k.disturb(ctx)
	k.recover(ctx)
	stop()
	workers.Wait()
	k.judge(ctx)
	sameReplicas(ctx, t, k.c)
	if err := k.c.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, n := range k.c.Alphas {
		if err := fsckData(n.Dragg); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
	}
}

// movePause is the longest rest between two moves of tablets.
const movePause = time.Second

// chosen reports whether a workload is to run.
func chosen(name string) bool {
	return *chaosWorkloads == "" || slices.Contains(strings.Split(*chaosWorkloads, ","), name)
}

// prepare makes the predicates one by one, so that the groups get them in turn, and everybody who will work.
func (k *chaos) prepare(ctx context.Context) {
	eventually(ctx, k.T, "uids", func() error { return k.c.Zeros[0].AssignUIDs(ctx, leased) })
	if chosen("bank") {
		b, err := newBank(ctx, k.clients[0])
		if err != nil {
			k.Fatal(err)
		}
		k.bank = b
	}
	workloads := slices.DeleteFunc(workload.All(ours), func(w workload.Workload) bool { return !chosen(w.Name()) })
	if len(workloads) == 0 && k.bank == nil {
		k.Fatalf("no workload is called %q", *chaosWorkloads)
	}
	for _, w := range workloads {
		for _, line := range w.Schema() {
			if err := k.clients[0].Alter(ctx, &api.Operation{Schema: line}); err != nil {
				k.Fatalf("%s: %v", line, err)
			}
		}
	}
	m, err := k.c.Zeros[0].membership(ctx)
	if err != nil {
		k.Fatal(err)
	}
	for id, g := range m.Groups {
		if len(g.Tablets) == 0 {
			k.Errorf("group %s has no tablets: nothing spans the groups", id)
		}
	}
	var alphas []*dgo.Dgraph
	for _, c := range k.clients {
		alphas = append(alphas, c.Dgraph)
	}
	k.crowd = workload.NewCrowd(workloads, *chaosClients, alphas, k.seed)
	faults := strings.FieldsFunc(*chaosFaults, func(r rune) bool { return r == ',' })
	if slices.Contains(faults, "move") {
		k.mover = &mover{z: k.c.Zero(), groups: []uint32{1, 2}}
		faults = slices.DeleteFunc(faults, func(f string) bool { return f == "move" })
	}
	k.nemesis = NewNemesis(k.c, faults, k.seed)
	var before int64
	k.nemesis.Log = func(format string, args ...any) {
		done := k.crowd.Done()
		k.Logf("%7v %s; %d operations done", time.Since(k.began).Round(100*time.Millisecond), fmt.Sprintf(format, args...), done-before)
		before = done
	}
}

// recoveries is how many rounds there are for each after which it is checked that all is well, beside the last.
const recoveries = 5

// disturb lets the nemesis loose for the time of the test.
func (k *chaos) disturb(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, *chaosTime)
	defer cancel()
	if len(k.nemesis.Faults) == 0 {
		<-limited.Done()
	}
	for limited.Err() == nil {
		if err := k.nemesis.Round(limited); err != nil {
			k.Fatal(err)
		}
		if k.nemesis.rng.IntN(recoveries) == 0 && limited.Err() == nil {
			k.recover(ctx)
		}
	}
}

// maxSilence is how long after faults were healed it may take until every client has got something done.
const maxSilence = 10 * time.Second

// recover checks that work goes on for everybody once all is well, at every Alpha.
func (k *chaos) recover(ctx context.Context) {
	healed := time.Now()
	for _, n := range k.c.Alphas {
		await(ctx, k.T, n.Dragg)
	}
	for i, client := range k.clients {
		eventually(ctx, k.T, "a write and a read at "+k.c.Alphas[i].Name, func() error {
			name := fmt.Sprint("alive ", i)
			if err := insertName(ctx, client, name); err != nil {
				return err
			}
			_, err := client.NewReadOnlyTxn().Query(ctx, `{ q(func: has(name), first: 1) { uid } }`)
			return err
		})
	}
	eventually(ctx, k.T, "everybody to get something done", func() error {
		if w := k.crowd.Waiting(healed); len(w) > 0 {
			return fmt.Errorf("%d wait: %v", len(w), w)
		}
		return nil
	})
	if took := time.Since(healed); took <= maxSilence {
		k.Logf("after the faults everybody got something done within %v", took.Round(time.Millisecond))
	} else if starved() {
		k.Logf("after the faults it took %v, but the machine has too little CPU for all that runs on it", took)
	} else {
		k.Errorf("after the faults it took %v until everybody had got something done, the most is %v", took, maxSilence)
	}
}

// judge reads what is left at every Alpha and checks every record.
func (k *chaos) judge(ctx context.Context) {
	for i, n := range k.c.Alphas {
		if k.bank != nil {
			k.bank.verify(ctx, k.T, n.Name, k.clients[i])
		}
		reader := &workload.Client{Process: 900_000_000 + i, RNG: newRNG(k.seed, i), Alphas: []*dgo.Dgraph{k.clients[i].Dgraph}, Errors: k.crowd.Errors}
		for _, w := range k.crowd.Workloads {
			eventually(ctx, k.T, "the last reads of "+w.Name()+" at "+n.Name, func() error { return w.Final(ctx, reader) })
		}
	}
	if k.bank != nil {
		k.bank.check(ctx, k.T, k.c)
	}
	for _, w := range k.crowd.Workloads {
		ok, fail, open := k.crowd.Counts(w)
		wrong, summary := w.Check()
		k.Logf("%s: %d done, %d failed, %d unknown; %s", w.Name(), ok, fail, open, summary)
		for _, text := range wrong[:min(len(wrong), 10)] {
			k.Errorf("%s: %s", w.Name(), text)
		}
		if len(wrong) > 10 {
			k.Errorf("%s: and %d more", w.Name(), len(wrong)-10)
		}
		if ok == 0 {
			k.Errorf("%s: nothing was ever done", w.Name())
		}
	}
	for _, text := range k.crowd.Errors.Strange() {
		k.Errorf("no client should be told: %s", text)
	}
	k.Logf("faults: %v; errors by code: %v", k.nemesis.Counts(), k.crowd.Errors.Counts())
	rest, who := k.crowd.Longest()
	k.Logf("the longest time in which a client got nothing done: %v, %s", rest.Round(time.Millisecond), who)
	if k.mover != nil {
		k.Logf("%v", k.mover)
	}
}

// keep saves the histories and what the nodes said, if it was asked for.
func (k *chaos) keep() {
	if *chaosKeep == "" {
		return
	}
	err := os.MkdirAll(*chaosKeep, 0o755)
	save := func(name string, to func(w io.Writer) error) {
		f, e := os.Create(filepath.Join(*chaosKeep, name+".jsonl"))
		if e == nil {
			e = errors.Join(to(f), f.Close())
		}
		err = errors.Join(err, e)
	}
	for _, w := range k.crowd.Workloads {
		save(w.Name(), func(out io.Writer) error { return cycle.Save(out, w.Txns()) })
	}
	if k.bank != nil {
		save("bank", func(out io.Writer) error { return history.Save(out, k.bank.rec.History()) })
	}
	for _, n := range k.c.Nodes() {
		err = errors.Join(err, os.WriteFile(filepath.Join(*chaosKeep, n.Name+".log"), []byte(n.Log()), 0o644))
	}
	if err != nil {
		k.Error(err)
	}
}
