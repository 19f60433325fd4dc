// Command alpha runs one Alpha process of a cluster; it is the same as dragg alpha.
package main

import (
	"os"

	"dragg/cmd/command"
)

func main() { os.Exit(command.Main(command.Alpha())) }
