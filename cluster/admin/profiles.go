package admin

import (
	"net/http"
	"net/http/pprof"

	"dragg/internal/fault"
)

// Profiles adds /debug/pprof to a process's HTTP surface: what it does and what it holds, for `go tool pprof` on its own machine.
func Profiles(mux *http.ServeMux) {
	for path, h := range map[string]http.HandlerFunc{
		"GET /debug/pprof/": pprof.Index, "GET /debug/pprof/cmdline": pprof.Cmdline, "GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/symbol": pprof.Symbol, "GET /debug/pprof/trace": pprof.Trace,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if fromHere(r.RemoteAddr) {
				h(w, r)
				return
			}
			err := fault.New(fault.Denied, "profiles are for requests from the machine of the process only; use localhost there")
			http.Error(w, err.Error(), http.StatusForbidden)
		})
	}
}
