//go:build systest

package systest

import "time"

// maxStop is how long a server may take to end when it is told to.
const maxStop = 3 * time.Second
