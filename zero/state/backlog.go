package state

import "dragg/graph"

// Backlog returns how many events of each group's stream the group has not acknowledged.
func (m *Machine) Backlog() map[graph.GroupID]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[graph.GroupID]int, len(m.s.streams))
	for g, s := range m.s.streams {
		out[g] = len(s.events)
	}
	return out
}
