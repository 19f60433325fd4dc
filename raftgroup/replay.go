package raftgroup

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// replayBatch is from how many commands on Replay applies what it has; those of one entry are applied at once.
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
	apply := func() error {
		if len(cmds) == 0 {
			return nil
		}
		if _, err := m.Apply(cmds); err != nil {
			return fmt.Errorf("applying log entries %d to %d: %w", cmds[0].Index, cmds[len(cmds)-1].Index, err)
		}
		cmds = nil
		return nil
	}
	durable := m.Durable()
	for _, e := range st.Entries {
		if e.GetIndex() > upto {
			break
		}
		if e.GetIndex() <= durable || isChange(e) {
			continue
		}
		if cmds, _, err = appendCommands(cmds, nil, e); err != nil {
			return err
		}
		if len(cmds) >= replayBatch {
			if err := apply(); err != nil {
				return err
			}
		}
	}
	return apply()
}
