// Package command holds the operator's commands: flags → Config → Run. The mains of cmd/zero, cmd/alpha and cmd/dragg pick
// theirs from here.
//
// Every flag may also be given by an environment variable (DRAGG_ and the flag in capitals, dashes as underscores) or in a
// YAML file named by --config. A flag on the command line wins over the environment, that over the file.
package command
