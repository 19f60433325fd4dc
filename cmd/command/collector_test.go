package command

import "testing"

// Where little lives the collector waits for so many bytes, where much lives for half as much again.
func TestCollectAt(t *testing.T) {
	for _, c := range []struct {
		room, live int64
		want       int
	}{
		{128 << 20, 0, 12800}, {128 << 20, 16 << 20, 800}, {128 << 20, 256 << 20, 50}, {128 << 20, 4 << 30, 50}, {64 << 20, 64 << 20, 100},
	} {
		if got := collectAt(c.room, c.live); got != c.want {
			t.Errorf("room %d, live %d: %d %%, want %d", c.room, c.live, got, c.want)
		}
	}
}
