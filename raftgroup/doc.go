// Package raftgroup runs one member of one Raft group: etcd's raft around a durable log (raftlog) and a state machine (fsm).
//
// It is two things, kept apart:
//
//   - stepper: the pure part. It owns the RawNode and its in-memory log tail, and all that this package decides beyond Raft; it
//     has no clock, no goroutine and does no I/O. Ticks, proposals and messages go in, work comes out. A simulation drives it
//     directly.
//   - Group: the thin driver around it. Four goroutines, all owned by Run: the driver (ticks, proposals, messages, fsync), the
//     applier (hands committed entries to the machine in batches, restores snapshots), the checkpointer (asks the machine
//     for a snapshot, records it in the log, trims) and a watch over the driver.
//
// It is not a transport: messages leave through Transport and come in through Step, the data of snapshots is pulled through
// Fetch from WriteSnapshot of another member. Whoever carries them checks that both ends are of the same cluster and group, and
// who they are: a member believes another one that says so that it was removed.
//
// # The order that carries durability
//
// An entry is written to the log and synced before it is acknowledged, before it is applied and before any message that
// depends on it leaves: no vote and no answer to an append before the sync. A leader sends entries before its own sync, since
// its own disk counts as one voter's; so all disks write at the same time. That a change of members is committed is synced
// before it takes effect.
//
// A checkpoint is: machine.Snapshot (storage barrier; Durable moves) → mark in the log (synced) → delete segments below it. A
// crash between any two of these steps replays entries that are durable already; the applier skips what Durable covers.
//
// # Proposals
//
// Propose returns the machine's own result for the entry. When the group stops with a proposal in flight the outcome is unknown,
// and the error says so (fault.Unknown): it is never proposed again. When this member loses the leadership the proposal has some
// more ticks to learn its outcome from what the next leader commits: its result, or, once an entry of a later term is applied,
// that it was surely not carried out (ErrNotLeader). After that the outcome is unknown.
//
// # Members
//
// All members that a group starts with begin their log with the same mark: index 1, term 1, and all of them as voters. No
// member becomes one by electing itself first. A member that comes later begins with an empty log and no members, so it can
// do nothing but wait for a leader that was told to add it; since every log begins above the empty one it is always sent a
// snapshot, and with that the membership. Ids are never used twice.
//
// ChangeMembers takes any change that Raft's joint consensus can make in one go. A new member is added as a learner. It may
// become a voter when it has been within 1000 entries and a tenth of the leader's log for ten ticks, so that a vote never hangs
// on one who has to be sent the state first. Raft silently drops a change while another may be in flight; that is found out and
// refused. Changes take effect in Raft in the order of the log when they are committed, on the driver. The entry itself goes
// through the queue like any other; the machine sees a command without data, so that Durable covers it. The newest membership
// is in each mark, and after a restart Raft is handed everything after the mark again, so that changes after it take effect
// again although the machine has them.
//
// A leader stops talking to a member as soon as its removal is applied, and that is before the member can know. So leaders say
// it outright for some ticks, and every member that knows answers so if the one that was removed speaks again: a voter does when
// it stands for election, a learner when it has not heard of anybody for a while. Its Run ends with ErrRemoved. Who was started
// again from a mark behind the removal knows nothing of it and cannot say. (Two message types that Raft does not send are used
// between members: see stepper.receive.)
//
// # Snapshots
//
// A member whose log ends below its leader's tail is sent a snapshot: the message has the machine's descriptor only. Before Raft
// hears of the message, the data is fetched and restored on the applier, durably; nothing is applied meanwhile, but the driver
// goes on answering heartbeats. Then Raft is told, the log begins anew at the snapshot's index, and the member answers. A crash
// in between leaves a machine that is ahead of its log: what it has is not applied to it again. The same holds where Raft does not
// take the snapshot any more, as there is a newer leader.
//
// A transfer that breaks off fails. What came of it the machine may keep, also over a restart, and the next one, which the leader
// offers as soon as it hears, brings the rest, if the source has the same state still. So for a minute after a transfer broke off
// the source makes no checkpoint, as it makes none while it sends. A source that was started again, and another leader, offer
// another state, which comes from the start. A transfer that outlasts the term in which it began counts nonetheless: the leader of
// the next one is answered as if it had sent the snapshot, and goes on from there if its log reaches as far back.
//
// While it fetches, the member tells its leader at every tick; when it fails, once. A leader that hears neither for twenty ticks
// takes the snapshot for lost and probes anew, so no member stays in that state for ever. A source that sends nothing for a
// hundred ticks is given up.
//
// The leader offers the state of its last checkpoint, if the log goes on from there and it knows the newest change of members;
// else it makes a checkpoint first. In memory it keeps Config.KeepBytes of log below its mark for those that were away for a
// moment, and up to four times as much for members that it hears of. While WriteSnapshot writes, and while a transfer that broke
// off may go on, no checkpoint is made until Config.HoldBytes of log have come together, or Raft wants another state.
//
// # Reads
//
// ReadIndex asks a majority, always: no leases, no clocks (ReadOnlySafe). One request is under way at a time, with a context that
// was never used before, and serves everybody who came before it was made; it is made anew when the leader changes or it is not
// answered, and given up after fifty ticks.
//
// # A disk that does not answer
//
// A driver that is stuck in a call to the disk hears nothing and says nothing: the others elect another leader. Who asked this member
// would wait for it all the same. So a goroutine watches the driver's ticks. Where there are none for some seconds, and there
// are other voters, the member knows of no leader, its callers get an error, and the outcome of its proposals is unknown. It is as
// before when the driver goes on.
//
// # Bounds
//
// Proposals wait in a channel of 1024, messages in an inbox of 64 MiB, committed entries in a queue of Config.ApplyQueueBytes. A
// full queue never holds up the driver, which has heartbeats to send: a leader takes no proposals then, a follower drops entries
// that it is sent as the network might have, and its leader slows down.
//
// # Threading
//
// All methods of Group are safe for concurrent use. Errors of the log or the machine end Run: the process must stop, since a
// retried fsync proves nothing. Group.machineMu and Group.markMu are never held together; tail.mu is taken inside the latter.
//
// Sources: Ongaro, Consensus: Bridging Theory and Practice, chapters 3, 4 (changes of members), 6.4 (reads) and 9.6 (pre-vote).
package raftgroup
