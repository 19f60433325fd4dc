package shard

// Work is what the shard has in hand.
type Work struct {
	Transactions int   // that are open: something of them is pending
	PendingBytes int   // of their changes
	Retired      int   // copies whose bytes wait for deletion
	Building     int   // tablets of which an index is not complete here
	CacheLists   int   // decoded
	CacheBytes   int64 // that they take
	CacheHits    int64 // reads of a list that was there
	CacheMisses  int64 // reads of one that had to be loaded
}

// Work returns what the shard has in hand now.
func (s *Shard) Work() Work {
	var w Work
	w.CacheLists, w.CacheBytes, w.CacheHits, w.CacheMisses = s.store.CacheStats()
	for _, t := range s.view.Load().tablets {
		if len(t.local.Building) > 0 {
			w.Building++
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Transactions, w.PendingBytes, w.Retired = len(s.pending), s.pendingB, len(s.dropped)
	return w
}
