// Package systest tests the whole system: real processes, the stock client, files of requests with their exact answers, kill -9,
// full disks, hostile input, and histories of many workloads checked while processes die, freeze and are parted (chaos).
//
// Its tests have the build tag systest and need the programs in bin: run them by `make systest`.
package systest
