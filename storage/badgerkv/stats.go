package badgerkv

import "dragg/storage/room"

// Stats is how the engine's files lie.
type Stats struct {
	TableBytes, ValueLogBytes int64
	Levels                    []Level // from the newest
	FreeBytes                 int64   // of the disk
}

// Level is one level of tables.
type Level struct {
	Tables int
	Bytes  int64
	// Score is above 1 where a compaction is due.
	Score float64
}

// Stats returns how the engine's files lie now.
func (e *Engine) Stats() (Stats, error) {
	c := e.enter()
	defer c.leave()
	var s Stats
	s.TableBytes, s.ValueLogBytes = c.db.Size()
	for _, l := range c.db.Levels() {
		s.Levels = append(s.Levels, Level{Tables: l.NumTables, Bytes: l.Size, Score: l.Score})
	}
	var err error
	s.FreeBytes, err = room.Free(c.dir)
	return s, err
}
