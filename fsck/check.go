package fsck

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
)

// Config says how a check is run. Zero values take the defaults.
type Config struct {
	// MaxFindings is how many findings Report is told of; all are counted. Default 100.
	MaxFindings int
	// Entries bounds how many derived entries are kept in memory to name differences. Default 1 million.
	Entries int
	// Report is told of findings; nil for nobody.
	Report func(Finding)
	// Progress is told now and then what has been seen so far; nil for nobody. Every is how often. Default 2 s.
	Progress func(predicate graph.Predicate, s Summary)
	Every    time.Duration
}

func (c *Config) setDefaults() {
	if c.MaxFindings == 0 {
		c.MaxFindings = 100
	}
	if c.Entries == 0 {
		c.Entries = 1_000_000
	}
	if c.Every == 0 {
		c.Every = 2 * time.Second
	}
	if c.Report == nil {
		c.Report = func(Finding) {}
	}
	if c.Progress == nil {
		c.Progress = func(graph.Predicate, Summary) {}
	}
}

// checker is one check.
type checker struct {
	cfg    Config
	s      *shard.Shard
	engine storage.Engine
	sum    Summary
	told   time.Time
}

// Check checks everything that a replica holds, at its watermark. Nothing may write to it meanwhile. engine is the one that
// s was opened with. The error says why the check could not be finished; damage is in the summary.
func Check(ctx context.Context, cfg Config, s *shard.Shard, engine storage.Engine) (Summary, error) {
	c := newChecker(cfg, s, engine)
	err := c.everything(ctx)
	return c.sum, err
}

func newChecker(cfg Config, s *shard.Shard, engine storage.Engine) *checker {
	cfg.setDefaults()
	return &checker{cfg: cfg, s: s, engine: engine, told: time.Now(), sum: Summary{Watermark: s.Watermark()}}
}

func (c *checker) everything(ctx context.Context) error {
	if err := c.layout(ctx); err != nil {
		return err
	}
	for _, t := range c.s.Copies() {
		c.sum.Tablets++
		if err := c.tablet(ctx, t); err != nil {
			return err
		}
	}
	c.transactions()
	return nil
}

// found counts a finding and reports it, if it is among the first.
func (c *checker) found(f Finding) {
	if c.sum.Findings++; c.sum.Findings <= int64(c.cfg.MaxFindings) {
		c.cfg.Report(f)
	}
}

// step is called for every key: it ends the check with ctx and tells of progress.
func (c *checker) step(ctx context.Context, p graph.Predicate) error {
	if now := time.Now(); now.Sub(c.told) >= c.cfg.Every {
		c.told = now
		c.cfg.Progress(p, c.sum)
	}
	return ctx.Err()
}

// layout visits every key on disk: does it parse, and does anybody answer for its incarnation?
func (c *checker) layout(ctx context.Context) (err error) {
	known := map[graph.Incarnation]bool{0: true}
	for _, t := range c.s.Copies() {
		known[t.Incarnation] = true
	}
	retired := c.s.Retired()
	c.sum.Retired = len(retired)
	here, away := c.s.Moving()
	for _, inc := range slices.Concat(retired, here, away) {
		known[inc] = true
	}
	r := c.engine.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	it := r.Scan(nil, nil)
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		c.sum.Keys++
		if err := c.step(ctx, graph.Predicate{}); err != nil {
			return err
		}
		inc := keys.IncarnationOf(it.Key())
		if !known[inc] {
			c.found(Finding{Damage: Orphan, Detail: "keys under incarnation " + graph.UID(inc).String() + ", which is neither served nor dropped"})
			it.SeekGE(nextIncarnation(inc))
			continue
		}
		if _, err := keys.Parse(it.Key()); err != nil {
			c.found(Finding{Damage: Malformed, Detail: err.Error()})
		}
	}
	return nil
}

// nextIncarnation returns the first key above every key of inc.
func nextIncarnation(inc graph.Incarnation) []byte {
	if end := keys.End(keys.Prefix(inc)); end != nil {
		return end
	}
	return slices.Repeat([]byte{0xFF}, 1<<10) // above every key that there can be under the last one
}

// transactions looks at what is pending.
func (c *checker) transactions() {
	pending, ended := c.s.Undecided()
	c.sum.Pending = len(pending)
	for _, start := range ended {
		c.found(Finding{Damage: Unsettled, Detail: transaction(start) + " is pending, but the replica has applied its verdict"})
	}
}

func sortedEntries(m map[entry]*sides) []entry {
	return slices.SortedFunc(maps.Keys(m), func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.uid, b.uid))
	})
}
