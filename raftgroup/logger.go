package raftgroup

import (
	"fmt"
	"log/slog"
)

// raftLogger passes Raft's own messages on: they are of use to somebody who debugs elections, so they rank low. The text is
// made only where somebody reads it.
type raftLogger struct{ lg *slog.Logger }

// line is a message whose text is not made yet.
type line struct {
	format string // "" where there is none
	v      []any
}

// LogValue implements slog.LogValuer.
func (l line) LogValue() slog.Value {
	if l.format == "" {
		return slog.StringValue(fmt.Sprint(l.v...))
	}
	return slog.StringValue(fmt.Sprintf(l.format, l.v...))
}

func (l raftLogger) Debug(v ...any)                   { l.lg.Debug("raft", "says", line{v: v}) }
func (l raftLogger) Debugf(format string, v ...any)   { l.lg.Debug("raft", "says", line{format, v}) }
func (l raftLogger) Info(v ...any)                    { l.lg.Debug("raft", "says", line{v: v}) }
func (l raftLogger) Infof(format string, v ...any)    { l.lg.Debug("raft", "says", line{format, v}) }
func (l raftLogger) Warning(v ...any)                 { l.lg.Warn("raft", "says", line{v: v}) }
func (l raftLogger) Warningf(format string, v ...any) { l.lg.Warn("raft", "says", line{format, v}) }
func (l raftLogger) Error(v ...any)                   { l.lg.Error("raft", "says", line{v: v}) }
func (l raftLogger) Errorf(format string, v ...any)   { l.lg.Error("raft", "says", line{format, v}) }

// Fatal and Panic are Raft's invariant violations: the process must not go on with such a log.
func (l raftLogger) Fatal(v ...any)                 { panic("raft: " + fmt.Sprint(v...)) }
func (l raftLogger) Fatalf(format string, v ...any) { panic("raft: " + fmt.Sprintf(format, v...)) }
func (l raftLogger) Panic(v ...any)                 { panic("raft: " + fmt.Sprint(v...)) }
func (l raftLogger) Panicf(format string, v ...any) { panic("raft: " + fmt.Sprintf(format, v...)) }
