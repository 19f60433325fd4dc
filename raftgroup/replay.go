package raftgroup

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// replayBatch is how many entries Replay applies at once.
const replayBatch = 1024

// Replay has a machine apply what a member's log holds and the machine does not, without taking part in the group: what a start
// of the member alone would apply. Of a member among several that is what it knows to be committed; a sole voter has decided
// everything that is in its log. Nobody else may have the log open.
func Replay(dir string, id raftlog.Identity, m fsm.Machine, lg *slog.Logger) (err error) {
	log, st, err := raftlog.Open(dir, id, lg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	upto := st.HardState.GetCommit()
	sole := slices.Equal(st.Mark.ConfState.GetVoters(), []uint64{id.Node}) && !slices.ContainsFunc(st.Entries, isChange)
	if n := len(st.Entries); n > 0 && sole {
		upto = st.Entries[n-1].GetIndex()
	}
	var cmds []fsm.Command
	for _, e := range st.Entries {
		if e.GetIndex() > upto {
			break
		}
		if e.GetIndex() <= m.Durable() || isChange(e) || len(e.GetData()) == 0 {
			continue
		}
		if len(e.GetData()) < headerBytes {
			return fmt.Errorf("log entry %d is shorter than its header", e.GetIndex())
		}
		cmds = append(cmds, fsm.Command{Index: e.GetIndex(), Term: e.GetTerm(), Data: e.GetData()[headerBytes:]})
	}
	for batch := range slices.Chunk(cmds, replayBatch) {
		if _, err := m.Apply(batch); err != nil {
			return fmt.Errorf("applying log entries %d to %d: %w", batch[0].Index, batch[len(batch)-1].Index, err)
		}
	}
	return nil
}
