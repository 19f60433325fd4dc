// Command zero runs one Zero process of a cluster; it is the same as dragg zero.
package main

import (
	"os"

	"dragg/cmd/command"
)

func main() { os.Exit(command.Main(command.Zero())) }
