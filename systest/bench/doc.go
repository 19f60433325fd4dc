// Package bench measures the figures of docs/benchmarks.md: whole processes, the stock client, real data, side by side in one
// run. Run it by `make bench`.
package bench
