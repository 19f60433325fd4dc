// Package live adds to each line of a log what is so at that moment: a node's term, which changes while its logger does not.
package live

import (
	"context"
	"log/slog"
)

// Number returns a logger whose lines have the attribute key with what read returns then, unless that is 0 or the line says
// another value under that key itself.
func Number(lg *slog.Logger, key string, read func() uint64) *slog.Logger {
	return slog.New(&handler{lg.Handler(), key, read})
}

type handler struct {
	slog.Handler
	key  string
	read func() uint64
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	n := h.read()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == h.key {
			n = 0
		}
		return n != 0
	})
	if n != 0 {
		r = r.Clone() // who made the record may hand it to others
		r.AddAttrs(slog.Uint64(h.key, n))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.key, h.read}
}

// WithGroup implements slog.Handler. The attribute is part of the group then.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.key, h.read}
}
