// Command dragg is the operator's tool: it runs a database, loads it, and asks it.
package main

import (
	"os"

	"dragg/cmd/command"
)

func main() { os.Exit(command.Main(command.Root())) }
