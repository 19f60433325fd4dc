package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
)

// occupied is what a server has for itself while it runs: its folders, and a profile if one was asked for.
type occupied struct {
	folders []folder
	profile func() error
	quiet   func() bool // nothing is said any more about why it stops
}

// occupy waits for room on the disk, looks whether the ports are free, and takes the folders of the nodes, all before any node says
// that it is there.
func (f *serverFlags) occupy(ctx context.Context, lg *slog.Logger, dirs []string, ports ...int) (o occupied, err error) {
	o.quiet = context.AfterFunc(ctx, func() { lg.Info("stopping", "why", context.Cause(ctx)) })
	o.profile = func() error { return nil }
	defer func() {
		if err != nil {
			err = errors.Join(err, o.leave())
		}
	}()
	if err := f.awaitRoom(ctx, lg); err != nil {
		return o, err
	}
	var addresses []string
	for _, p := range ports {
		addresses = append(addresses, f.port(p))
	}
	if err := free(addresses...); err != nil {
		return o, err
	}
	for _, dir := range dirs {
		home, err := hold(dir)
		if err != nil {
			return o, err
		}
		o.folders = append(o.folders, home)
	}
	o.profile, err = profileCPU(f.profile)
	return o, err
}

// leave gives everything back.
func (o occupied) leave() error {
	o.quiet()
	err := o.profile()
	for _, home := range o.folders {
		err = errors.Join(err, home.release())
	}
	return err
}

// profileCPU writes a CPU profile to path until the returned function is called; "" for none.
func profileCPU(path string) (stop func() error, err error) {
	nothing := func() error { return nil }
	if path == "" {
		return nothing, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nothing, fmt.Errorf("--cpu-profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nothing, errors.Join(fmt.Errorf("--cpu-profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			return fmt.Errorf("--cpu-profile: %w", err)
		}
		return nil
	}, nil
}
