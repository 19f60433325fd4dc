// Package badgerkv is the storage engine on disk: Badger in managed mode (Lu et al., "WiscKey", 2016, is its
// design).
//
// Badger is told every timestamp, keeps every version until a whole one supersedes it below the discard
// timestamp, and verifies checksums on reading. What it does not promise, this package adds:
//
//   - A batch is atomic across a crash of the process also where it spans several timestamps or Badger transactions: such a
//     batch is noted in a journal file first, and finished by the next Open on the same boot of the machine. After a reboot
//     the journal is ignored: nothing since the last Sync was promised, and the caller replays its log.
//   - [Engine.Sync] is a true barrier. Badger's own Sync covers the active memtable only, not those that wait to be flushed
//     (measured on v4.9.6), nor the directory. Ours syncs every memtable and value log file there is and the directory; a
//     file that vanished meanwhile was flushed to a table, which Badger syncs.
//   - A full disk refuses writes instead of ending the process: Badger maps sparse files, and touching a page that has no
//     room on the disk is a SIGBUS. Below a reserve of free space Write returns storage.ErrFull, until there is room again.
//   - [Engine.DeletePrefix] works in small steps beside other work. Badger's DropPrefix stops all writes.
//   - [Engine.Replace] fills a second store in a folder below, and switches to it by renaming one file. Badger's DropAll and a load
//     in place would leave neither the old content nor the new one after a crash; and deletions written over old versions
//     would hide new ones that lie below them.
//
// All methods may be called concurrently; Close comes last. One goroutine, owned by the engine and ended by
// Close, collects the garbage of the value log.
package badgerkv
