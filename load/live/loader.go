package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"golang.org/x/sync/errgroup"

	"dragg/internal/fault"
	"dragg/mutation/nquad"
)

// loader is one load.
type loader struct {
	cfg     Config
	client  Client
	tally   tally
	tracker *tracker
	xids    *xids
	seen    *sightings
	seed    maphash.Seed
	lanes   []*lane
	filling [][]statement // by lane
	before  map[string]int

	mu      sync.Mutex
	skipped *os.File // guarded by mu; nil until something is skipped
}

// Run loads what the config names and returns what it did. With an error, what was loaded before it stays loaded.
func Run(ctx context.Context, cfg Config, client Client) (Summary, error) {
	if err := cfg.setDefaults(); err != nil {
		return Summary{}, err
	}
	sources, err := findSources(cfg.Paths)
	if err != nil {
		return Summary{}, err
	}
	l := &loader{cfg: cfg, client: client, tracker: newTracker(), seed: maphash.MakeSeed()}
	l.tally.began = time.Now()
	for _, s := range sources {
		l.tally.total += s.size
	}
	if err := l.applySchema(ctx); err != nil {
		return Summary{}, err
	}
	if l.seen, err = l.learnSchema(ctx); err != nil {
		return Summary{}, err
	}
	if l.xids, err = openXIDs(cfg.XIDs, l.lease); err != nil {
		return Summary{}, err
	}
	l.before = l.xids.done
	err = l.load(ctx, sources)
	err = errors.Join(err, l.finish())
	s := l.summary()
	if _, werr := fmt.Fprintln(cfg.Progress, s); werr != nil {
		err = errors.Join(err, werr)
	}
	return s, err
}

func (l *loader) summary() Summary {
	return Summary{
		Quads: l.tally.quads.Load(), Nodes: l.xids.made, Aborts: l.tally.aborts.Load(), Skipped: l.tally.skipped.Load(),
		Resumed: l.tally.resumed.Load(), Took: time.Since(l.tally.began),
	}
}

func (l *loader) finish() error {
	err := errors.Join(l.xids.noteDone(l.tracker.done(l.before)), l.xids.close())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skipped != nil {
		err = errors.Join(err, l.skipped.Close())
	}
	return err
}

func (l *loader) applySchema(ctx context.Context) error {
	if l.cfg.Schema == "" {
		return nil
	}
	text, err := os.ReadFile(l.cfg.Schema)
	if err != nil {
		return err
	}
	err = l.opening(ctx, "the schema", func(ctx context.Context) error {
		return l.client.Alter(ctx, &api.Operation{Schema: string(text)})
	})
	if err != nil {
		return fmt.Errorf("applying the schema in %s: %w", l.cfg.Schema, err)
	}
	return nil
}

// load runs the reader, the lanes and the progress line until all is in or something fails.
func (l *loader) load(ctx context.Context, sources []source) error {
	eg, ctx := errgroup.WithContext(ctx)
	for range l.cfg.Lanes {
		n := &lane{l: l, in: make(chan []statement, 1)}
		l.lanes = append(l.lanes, n)
		l.filling = append(l.filling, nil)
		eg.Go(func() error { return n.run(ctx) })
	}
	done := make(chan struct{})
	eg.Go(func() error {
		defer func() {
			for _, n := range l.lanes {
				close(n.in)
			}
		}()
		for _, s := range sources {
			if err := l.file(ctx, s); err != nil {
				return err
			}
		}
		return l.flushAll(ctx)
	})
	var reporting sync.WaitGroup
	reporting.Go(func() { l.report(done) })
	err := eg.Wait()
	close(done)
	reporting.Wait()
	return err
}

// report writes the progress line and notes how far the load is, until done closes.
func (l *loader) report(done <-chan struct{}) {
	ticker := time.NewTicker(l.cfg.Every)
	defer ticker.Stop()
	last, at := int64(0), l.tally.began
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			if _, err := fmt.Fprintln(l.cfg.Progress, l.tally.line(now, last, now.Sub(at))); err != nil {
				l.cfg.Logger.Debug("the progress line cannot be written", "err", err)
			}
			last, at = l.tally.quads.Load(), now
			if err := l.xids.noteDone(l.tracker.done(l.before)); err != nil {
				l.cfg.Logger.Warn("how far the load is could not be noted", "err", err)
			}
		}
	}
}

// file reads one file.
func (l *loader) file(ctx context.Context, s source) (err error) {
	in, closer, err := s.open(&l.tally.read)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if s.json {
		return l.named(s, eachObject(in, func(n int, object []byte) error { return l.object(ctx, s, n, object) }))
	}
	return l.named(s, l.rdf(ctx, s, in))
}

// named adds the file to an error that does not name a place yet.
func (l *loader) named(s source, err error) error {
	if bad := (*BadLine)(nil); err == nil || errors.As(err, &bad) {
		return err
	}
	return fmt.Errorf("%s: %w", s.path, err)
}

func (l *loader) rdf(ctx context.Context, s source, in *bufio.Reader) error {
	from := l.before[s.path]
	return eachLine(in, func(n int, line []byte) error {
		if n <= from {
			l.tally.resumed.Add(1)
			return ctx.Err()
		}
		q, ok, perr := nquad.ReadLine(line)
		if perr != nil {
			perr.Line = n
			return l.bad(&BadLine{File: s.path, Line: n, Text: string(line), Err: perr})
		}
		if !ok {
			return nil
		}
		l.tracker.begin(s.path, n, 1)
		return l.add(ctx, &q, s.path, n, line)
	})
}

func (l *loader) object(ctx context.Context, s source, n int, object []byte) error {
	if n <= l.before[s.path] {
		l.tally.resumed.Add(1)
		return ctx.Err()
	}
	blanks := 0 // the names depend on the place in the file alone: a resumed load gives the same ones
	quads, err := nquad.ReadJSON(object, func() string {
		blanks++
		return fmt.Sprintf("%s#%d.%d", s.path, n, blanks)
	})
	for i := 0; i < len(quads) && err == nil; i++ {
		err = l.ensure(ctx, &quads[i])
	}
	switch bad := (&BadLine{File: s.path, Line: n, Text: string(object), Err: err}); {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.ClassOf(fault.As(fault.Invalid, err)) != fault.Invalid:
		return bad
	default:
		return l.bad(bad)
	}
	if len(quads) > 0 {
		l.tracker.begin(s.path, n, len(quads))
	}
	for i := range quads {
		if err := l.add(ctx, &quads[i], s.path, n, object); err != nil {
			return err
		}
	}
	return nil
}

// add resolves the nodes of a statement and puts it into the lane of its subject.
func (l *loader) add(ctx context.Context, q *nquad.Quad, file string, line int, raw []byte) error {
	if q.Subject.Kind == nquad.Star || q.StarPredicate || q.IsStar() || q.Subject.Kind == nquad.Variable ||
		q.Object.Kind == nquad.Variable || q.ValueOf != "" {
		defer l.tracker.end(file, line)
		return l.bad(&BadLine{File: file, Line: line, Text: string(raw), Err: errors.New("stars and variables cannot be loaded")})
	}
	var err error
	if q.Subject, err = l.resolve(ctx, q.Subject); err != nil {
		return err
	}
	if q.Object.Kind != nquad.Absent {
		if q.Object, err = l.resolve(ctx, q.Object); err != nil {
			return err
		}
	}
	at := maphash.String(l.seed, q.Subject.Name) % uint64(len(l.lanes))
	l.filling[at] = append(l.filling[at], statement{file: file, line: line, text: q.Append(nil), raw: string(raw)})
	if len(l.filling[at]) < l.cfg.Batch {
		return nil
	}
	return l.flush(ctx, int(at))
}

// resolve gives a node its uid. Numbers are uids already.
func (l *loader) resolve(ctx context.Context, n nquad.Node) (nquad.Node, error) {
	id := n.Name
	if n.Kind == nquad.Blank {
		id = "_:" + id
	} else if _, err := strconv.ParseUint(id, 0, 64); err == nil {
		return n, nil
	}
	u, err := l.xids.uid(ctx, id)
	if err != nil {
		return n, err
	}
	return nquad.Node{Kind: nquad.Named, Name: "0x" + strconv.FormatUint(u, 16)}, nil
}

// flush hands the batch of a lane over, once the ids in it are safe.
func (l *loader) flush(ctx context.Context, at int) error {
	if len(l.filling[at]) == 0 {
		return nil
	}
	if err := l.xids.flush(); err != nil {
		return err
	}
	select {
	case l.lanes[at].in <- l.filling[at]:
		l.filling[at] = make([]statement, 0, l.cfg.Batch)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *loader) flushAll(ctx context.Context) error {
	for at := range l.lanes {
		if err := l.flush(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// bad deals with a statement that cannot be loaded: it stops the load, or is saved and passed over.
func (l *loader) bad(b *BadLine) error {
	if !l.cfg.Skip {
		return b
	}
	l.tally.skipped.Add(1)
	l.cfg.Logger.Warn("skipped", "file", b.File, "line", b.Line, "err", b.Err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skipped == nil {
		f, err := os.OpenFile(l.cfg.SkippedTo, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("saving what is skipped: %w", err)
		}
		l.skipped = f
	}
	_, err := fmt.Fprintf(l.skipped, "# %s:%d: %v\n%s\n", b.File, b.Line, b.Err, b.Text)
	return err
}
