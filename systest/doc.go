// Package systest tests the whole system: real processes, the stock client, files of requests with their exact answers, kill -9,
// full disks, hostile input, and histories of concurrent transactions checked for snapshot isolation.
//
// Its tests have the build tag systest and need the programs in bin: run them by `make systest`.
package systest
