package command

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// size is a flag of bytes: 512MiB, 2GiB, 1073741824.
type size int64

func (s *size) String() string { return formatSize(int64(*s)) }
func (s *size) Type() string   { return "size" }

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	n, err := parseSize(text)
	*s = size(n)
	return err
}

var sizeUnits = []struct { //nolint:gochecknoglobals // a table
	suffix string
	bytes  float64
}{
	{"KIB", 1 << 10},
	{"MIB", 1 << 20},
	{"GIB", 1 << 30},
	{"TIB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"K", 1 << 10},
	{"M", 1 << 20},
	{"G", 1 << 30},
	{"T", 1 << 40},
	{"B", 1},
}

func parseSize(text string) (int64, error) {
	number, unit := strings.ToUpper(strings.TrimSpace(text)), 1.0
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 || f*unit > math.MaxInt64 || math.IsNaN(f) {
		return 0, fmt.Errorf("%q is no size: write a number of bytes, or 512MiB, 2GiB", text)
	}
	return int64(f * unit), nil
}

func formatSize(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	}
	return strconv.FormatInt(n, 10)
}

// memoryShare is which part of the memory a server may use takes unless it is told.
const memoryShare = 0.70

// memoryLimit returns what the flag says, or a share of what the container or the machine has.
func memoryLimit(flag size) int64 {
	if flag != 0 {
		return int64(flag)
	}
	return int64(memoryShare * float64(availableMemory()))
}

// limitMemory sets the memory limit of the process, has the collector run by it until ctx ends, and returns it.
func limitMemory(ctx context.Context, flag size) int64 {
	limit := memoryLimit(flag)
	// The collector works harder close to its limit instead of passing it. It does not count what is mapped from files, the
	// engine's memtables above all: a quarter is left for them.
	debug.SetMemoryLimit(limit / 4 * 3)
	go paceCollector(ctx, limit) // ends with ctx
	return limit
}

// availableMemory returns the memory of the container, or of the machine where there is no limit.
func availableMemory() int64 {
	have := int64(4 << 30)
	if n, ok := memTotal(); ok {
		have = n
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
			have = min(have, n)
		}
	}
	return have
}

// memTotal reads /proc/meminfo.
func memTotal() (int64, bool) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n << 10, err == nil
		}
	}
	return 0, false
}
