package command

import (
	"errors"
	"fmt"
	"os"
	"time"

	"dragg/alpha"
)

// leastMemory is below what a server cannot do anything but collect its garbage.
const leastMemory = 64 << 20

// check returns what is wrong with the flags that all servers share.
func (f *serverFlags) check() error {
	var problems []error
	if f.my != "" {
		problems = append(problems, checkAddresses("my", f.my))
	}
	if st, err := os.Stat(f.data); err == nil && !st.IsDir() {
		problems = append(problems, fmt.Errorf("--data: %s is no folder", f.data))
	}
	if f.memory != 0 && f.memory < leastMemory {
		problems = append(problems, fmt.Errorf("--memory-limit must be at least %s", formatSize(leastMemory)))
	}
	if f.reserve < alpha.MinDiskReserve {
		problems = append(problems, fmt.Errorf("--disk-reserve must be at least %s", formatSize(alpha.MinDiskReserve)))
	}
	return errors.Join(problems...)
}

// check returns what is wrong with the flags of an Alpha.
func (f *alphaFlags) check() error {
	if f.maxStaleness != 0 && f.maxStaleness < time.Second {
		return fmt.Errorf("--max-staleness %s: it is at least 1s, or 0 for no bound", f.maxStaleness)
	}
	return nil
}

// check returns what is wrong with the flags of a Zero.
func (f *zeroFlags) check() error {
	problems := []error{checkAddresses("zeros", f.zeros...), checkAddresses("peer", f.peers...)}
	if f.id == 0 {
		problems = append(problems, errors.New("--idx: Zeros are numbered from 1"))
	}
	if f.replicas < 0 {
		problems = append(problems, fmt.Errorf("--replicas %d: it cannot be below 0", f.replicas))
	}
	if f.rebalance < 0 {
		problems = append(problems, fmt.Errorf("--rebalance-interval %s: it cannot be below 0; 0 is never", f.rebalance))
	}
	return errors.Join(problems...)
}
