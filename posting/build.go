package posting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/time/rate"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/schema/tok"
	"dragg/storage"
)

// Build says which derived keys an index build makes.
type Build struct {
	Tokenizers []tok.Tokenizer
	Reverse    bool
	// Count also builds the counts of reverse edges where the predicate has @reverse. Those are kept up to
	// date by commits only when reverse is not in schema.Predicate.Building: see NextBuild.
	Count bool

	// TempDir is where what does not fit MemoryBytes is sorted; the system's directory for temporary files.
	TempDir string
	// MemoryBytes is how much the sort keeps in memory; 64 MiB.
	MemoryBytes int
	// BytesPerSecond bounds what is written to the engine; 32 MiB.
	BytesPerSecond int
	// Progress, if set, is told now and then how many nodes were read and how many lists were written.
	Progress func(nodes, lists int)
}

func (b Build) withDefaults() Build {
	if b.MemoryBytes <= 0 {
		b.MemoryBytes = 64 << 20
	}
	if b.BytesPerSecond <= 0 {
		b.BytesPerSecond = 32 << 20
	}
	if b.Progress == nil {
		b.Progress = func(int, int) {}
	}
	return b
}

// NextBuild returns what to build first of what p.Building names, and which names are done with it; none when
// nothing is left.
//
// Counts come after reverse edges, in a build of their own: commits derive the counts of reverse edges from
// their lists, which are whole only after the first build, on every replica. So the names that are done leave
// Building by a change of schema, and the next build starts at the timestamp of that.
func NextBuild(p *schema.Predicate) (b Build, done []string) {
	for _, t := range p.Index {
		if !p.Ready(t.Name()) {
			b.Tokenizers, done = append(b.Tokenizers, t), append(done, t.Name())
		}
	}
	if !p.Ready(schema.BuildingReverse) {
		b.Reverse, done = true, append(done, schema.BuildingReverse)
	}
	if len(done) == 0 && !p.Ready(schema.BuildingCount) {
		b.Count, done = true, append(done, schema.BuildingCount)
	}
	return b, done
}

// buildBatch is how many bytes a build gathers for one write.
const buildBatch = 1 << 20

// BuildIndex derives keys from the data that tablet copy inc of predicate p holds at ts, and writes their
// lists as whole versions at ts, with empty ones over whatever stale keys lie there. Transactions that
// started at or after ts must already maintain the keys (schema.Predicate.Building), and none that started
// before may commit any more: then the keys are complete, at every timestamp from ts on, once BuildIndex
// returns nil.
//
// It may be repeated after an error or a crash. Until it has succeeded once, Config.OldestReader must not
// pass ts.
func (s *Store) BuildIndex(
	ctx context.Context, ts graph.Timestamp, p *schema.Predicate, inc graph.Incarnation, what Build,
) (err error) {
	s.mu.Lock()
	s.mu.builds[ts]++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if s.mu.builds[ts]--; s.mu.builds[ts] == 0 {
			delete(s.mu.builds, ts)
		}
		s.mu.Unlock()
	}()
	b := &builder{s: s, ts: ts, p: p, inc: inc, Build: what.withDefaults()}
	b.limit = rate.NewLimiter(rate.Limit(b.BytesPerSecond), max(b.BytesPerSecond, 2*buildBatch))
	if len(b.Tokenizers) > 0 || b.Reverse {
		if err := b.pass(ctx, b.derived(), keys.DataPrefix(inc), b.derive); err != nil {
			return err
		}
	}
	if b.Count {
		err := b.pass(ctx, [][]byte{keys.CountPrefix(inc, false)}, keys.DataPrefix(inc), b.countInto(false))
		if err != nil {
			return err
		}
	}
	if b.Count && p.Reverse {
		err := b.pass(ctx, [][]byte{keys.CountPrefix(inc, true)}, keys.ReversePrefix(inc), b.countInto(true))
		if err != nil {
			return err
		}
	}
	// Once the caller has noted that the build is done, nobody writes these lists again.
	if err := s.engine.Sync(ctx); err != nil {
		return fmt.Errorf("index build: %w", err)
	}
	return nil
}

// builder is one index build.
type builder struct {
	Build
	s     *Store
	ts    graph.Timestamp
	p     *schema.Predicate
	inc   graph.Incarnation
	limit *rate.Limiter

	nodes, lists int
	key          []byte
	tokens       []string
	batch        storage.Batch
}

// derived returns the prefixes of the keys that derive makes.
func (b *builder) derived() [][]byte {
	var out [][]byte
	for _, t := range b.Tokenizers {
		out = append(out, keys.IndexPrefix(b.inc, t.ID()))
	}
	if b.Reverse {
		out = append(out, keys.ReversePrefix(b.inc))
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

// pass reads every list under source and replaces what lies under the target prefixes by what each makes of them.
func (b *builder) pass(
	ctx context.Context, targets [][]byte, source []byte, each func(*sorter, []byte, List) error,
) (err error) {
	sorted := &sorter{dir: b.TempDir, limit: b.MemoryBytes}
	defer func() { err = errors.Join(err, sorted.close()) }()
	if err := b.read(ctx, source, sorted, each); err != nil {
		return err
	}
	return b.write(ctx, targets, sorted)
}

func (b *builder) read(
	ctx context.Context, source []byte, sorted *sorter, each func(*sorter, []byte, List) error,
) error {
	v := b.s.View(b.ts, nil)
	defer v.Close()
	it := v.Scan(source, keys.End(source))
	for it.Next() {
		l, err := it.List()
		if err == nil {
			err = each(sorted, it.Key(), l)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if b.nodes++; b.nodes%1024 == 0 {
			b.Progress(b.nodes, b.lists)
		}
	}
	return it.Close()
}

// derive adds the index and reverse entries of one node.
func (b *builder) derive(sorted *sorter, key []byte, l List) error {
	subject := keys.UID(key)
	if b.p.Type == types.UID {
		var fail error
		l.each(func(e element) bool {
			b.key = keys.AppendReverse(b.key[:0], b.inc, graph.UID(e.id))
			fail = sorted.add(b.key, uint64(subject), e.pay)
			return fail == nil
		})
		return fail
	}
	for p, err := range l.Postings() {
		if err != nil {
			return err
		}
		for _, t := range b.Tokenizers {
			if b.tokens, err = tokensOf(b.tokens[:0], t, p.Value, p.Lang); err != nil {
				if errors.Is(err, tok.ErrTooLarge) {
					return fmt.Errorf("predicate %s of %s: %w", b.p.Name, subject, err)
				}
				continue // a value of an older type that has no counterpart in this one: see Derive
			}
			for _, token := range b.tokens {
				b.key = keys.AppendIndex(b.key[:0], b.inc, t.ID(), p.Lang, token)
				if len(b.key) > maxDerivedKey {
					return fmt.Errorf("predicate %s of %s: %w", b.p.Name, subject, tok.ErrTooLarge)
				}
				if err := sorted.add(b.key, uint64(subject), nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// countInto returns what adds the count entry of one node.
func (b *builder) countInto(reverse bool) func(*sorter, []byte, List) error {
	return func(sorted *sorter, key []byte, l List) error {
		b.key = keys.AppendCount(b.key[:0], b.inc, reverse, countOf(l.Len()))
		return sorted.add(b.key, uint64(keys.UID(key)), nil)
	}
}

// write merges the sorted entries with the keys that lie under the targets: each derived key gets its list,
// each other an empty one.
func (b *builder) write(ctx context.Context, targets [][]byte, sorted *sorter) error {
	old := &oldKeys{s: b.s, ts: b.ts, targets: targets}
	defer old.close()
	var key []byte
	var g gatherer
	for e, err := range sorted.all() {
		if err != nil {
			return err
		}
		if !bytes.Equal(key, e.key) {
			if err := b.list(ctx, old, key, &g); err != nil {
				return err
			}
			key = slices.Clone(e.key)
		}
		g.add(e.id, e.pay)
	}
	if err := b.list(ctx, old, key, &g); err != nil {
		return err
	}
	if err := b.clear(ctx, old, nil); err != nil {
		return err
	}
	return b.flush(ctx)
}

// list writes one derived list, after emptying the stale ones before it.
func (b *builder) list(ctx context.Context, old *oldKeys, key []byte, g *gatherer) error {
	if key == nil {
		return nil
	}
	if err := b.clear(ctx, old, key); err != nil {
		return err
	}
	var parts []part
	if old.key != nil && bytes.Equal(old.key, key) {
		parts = old.parts
		if err := old.next(); err != nil {
			return err
		}
	}
	c := g.content()
	pieces := splitContent(&c, 0, b.s.cfg.SplitBytes)
	writeWhole(&b.batch, &b.batch, key, pieces, b.ts)
	b.dropParts(key, parts, pieces)
	b.lists++
	if b.batch.Bytes() < buildBatch {
		return nil
	}
	return b.flush(ctx)
}

// clear empties the stale lists before key; nil: all that are left.
func (b *builder) clear(ctx context.Context, old *oldKeys, key []byte) error {
	if err := old.open(); err != nil {
		return err
	}
	for old.key != nil && (key == nil || bytes.Compare(old.key, key) < 0) {
		if !old.empty {
			b.batch.SetFolded(slices.Clone(old.key), emptyRecord(), b.ts)
			b.dropParts(old.key, old.parts, nil)
		}
		if err := old.next(); err != nil {
			return err
		}
		if b.batch.Bytes() >= buildBatch {
			if err := b.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropParts deletes the parts of an older version of a list that its new pieces do not replace.
func (b *builder) dropParts(key []byte, parts []part, pieces []piece) {
	for _, p := range parts {
		if !slices.ContainsFunc(pieces, func(q piece) bool { return q.first == p.first }) {
			b.batch.DeleteFolded(keys.Part(key, p.first), b.ts)
		}
	}
}

func (b *builder) flush(ctx context.Context) error {
	if b.batch.Len() == 0 {
		return nil
	}
	if err := b.limit.WaitN(ctx, min(b.batch.Bytes(), b.limit.Burst())); err != nil {
		return err
	}
	ops := b.batch.Ops
	if err := b.store(ctx); err != nil {
		return fmt.Errorf("index build: %w", err)
	}
	for i := range ops {
		b.s.rosters.note(ops[i].Key)
		b.s.cache.dropKey(ops[i].Key) // newer changes of it may be cached, without what now lies below them
	}
	b.batch = storage.Batch{}
	b.Progress(b.nodes, b.lists)
	return nil
}

// errRetired says that the tablet copy was retired meanwhile: nothing may be written under it any more.
var errRetired = errors.New("posting: the tablet copy was retired")

// store writes the batch, unless the copy was retired: its prefix is being deleted.
func (b *builder) store(ctx context.Context) error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.mu.retired[b.inc] {
		return errRetired
	}
	return b.s.engine.Write(ctx, &b.batch)
}
