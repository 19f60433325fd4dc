package command

import (
	"testing"

	"google.golang.org/grpc/encoding"
)

// The servers take compressed requests: gRPC knows gzip only where somebody imports it.
func TestServersKnowGzip(t *testing.T) {
	if encoding.GetCompressor("gzip") == nil {
		t.Error("requests that are compressed with gzip are refused")
	}
}
