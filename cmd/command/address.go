package command

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
)

// checkAddresses returns nil if what a flag names are host:port of different nodes. A name that nobody can call would only be waited
// for.
func checkAddresses(flag string, addresses ...string) error {
	for i, address := range addresses {
		host, port, err := net.SplitHostPort(address)
		if err == nil && host == "" {
			err = errors.New("there is no host")
		}
		if n, bad := strconv.ParseUint(port, 10, 16); err == nil && (bad != nil || n == 0) {
			err = errors.New("the port is a number from 1 to 65535")
		}
		if err != nil {
			return fmt.Errorf("--%s: %q is not host:port: %w", flag, address, err)
		}
		if slices.Contains(addresses[:i], address) {
			return fmt.Errorf("--%s: %s stands there twice", flag, address)
		}
	}
	return nil
}
