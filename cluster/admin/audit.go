package admin

import (
	"log/slog"
	"net"

	"dragg/internal/fault"
)

// Audit logs that somebody changed something that concerns all of the cluster, or tried to: from where, what, and how it ended.
func Audit(lg *slog.Logger, from, what string, err error, args ...any) {
	args = append([]any{"from", from, "what", what}, args...)
	if err != nil {
		lg.Warn("an administrative request failed", append(args, "outcome", fault.ClassOf(err).String(), "err", err)...)
		return
	}
	lg.Info("an administrative request was carried out", append(args, "outcome", "done")...)
}

// Local returns nil if a request comes from the machine itself. As long as there are no credentials what changes a cluster is for
// people on the machine of a Zero.
func Local(remote string) error {
	if !fromHere(remote) {
		return fault.New(fault.Denied, "this changes the cluster: it is for requests from the machine of a Zero only; use localhost there")
	}
	return nil
}

// fromHere says that an address is of this machine.
func fromHere(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	return err == nil && net.ParseIP(host).IsLoopback()
}
