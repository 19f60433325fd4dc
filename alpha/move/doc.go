// Package move sees a tablet through on its way to a group: the work of the leader of the group that receives it.
//
// It decides nothing and remembers nothing that matters: how far the copy has come is in the group's log, whether the tablet is
// fenced and who serves it is in Zero's. So it may stop anywhere, and whoever leads next goes on.
//
//	copy      what the tablet holds as of the move's base and every later version come over in chunks, each an entry of the log
//	catch up  what was committed meanwhile comes in further rounds, until a round is short
//	compare   after each round both sides read it back from their disks; digests add up
//	fence     Zero refuses commits from here on; writers wait
//	the rest  one more round, and its digests
//	switch    with equal digests Zero makes the new copy the one that is served
//
// Threading: one goroutine at a time. Source: Dragg's move protocol, ARCHITECTURE.md.
package move
