package slacksim

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

//go:embed page/*.html page/*.css page/*.js page/*.svg
var pageFiles embed.FS

// PageOptions is what the page shows beside the workspace itself.
type PageOptions struct {
	// Title names the page in the browser's tab; "" is the workspace's name.
	Title string
	// Clouds answers below /clouds/ and feeds the panel of clusters: GET state,
	// POST fault, clear and set (cloudsim's admin handler). It looks at the last
	// part of the path only. nil: no panel.
	Clouds http.Handler
	// Scenarios are offered above the conversation, in this order.
	Scenarios []Scenario
	// Hints complete what is typed into the composer.
	Hints []Hint
	// Start is the user id as whom the page opens; "" or unknown: the first person.
	Start string
	// Roles says in a word or two what each user id is there for. Whoever is not
	// in it is shown with their user groups, or as guest, outside or member.
	Roles map[string]string
}

// Scenario is something to try: pressing it changes to a person and a channel
// and puts the command into the composer. The reader still presses Enter.
type Scenario struct {
	Title   string `json:"title"`
	Text    string `json:"text"`               // what to do and see next, one sentence or two
	TitleZH string `json:"title_zh,omitempty"` // "" = Title
	TextZH  string `json:"text_zh,omitempty"`  // "" = Text
	User    string `json:"user"`               // id; "" = whoever is chosen
	Channel string `json:"channel"`            // id; "" = the channel shown
	Command string `json:"command"`            // for the composer, e.g. /scale emr-m620 task +2
}

// Hint is one completion of the composer.
type Hint struct {
	Insert string `json:"insert"`            // the whole line, e.g. /scale clusters
	Note   string `json:"note"`              // what it does
	NoteZH string `json:"note_zh,omitempty"` // "" = Note
}

// site is the page with its endpoints over one Server.
type site struct {
	s   *Server
	opt PageOptions
}

// Page is a small Slack for a browser: choose who you are, write, react, press
// buttons, and watch it live. It has
//
//	GET  /             the page and its files, all embedded
//	GET  /page/state   what ?user= sees in ?channel= and ?thread=
//	POST /page/act     one act of a person, see pageAct
//	GET  /page/events  server-sent events, one per change
//	     /clouds/      PageOptions.Clouds
//
// It has no login, so it answers only requests for a loopback name or address,
// or for the very address that was connected to: a name that some site points at
// this machine gets 403. Posts must be application/json and of the same origin.
//
// The caller serves it, on a listener of its own, without a write timeout (the
// events never end). Closing s ends the event streams, so close s before an
// http.Server.Shutdown that waits for them.
func (s *Server) Page(o PageOptions) http.Handler {
	p := &site{s: s, opt: o}
	static, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(static))
	mux.HandleFunc("GET /page/state", p.state)
	mux.HandleFunc("POST /page/act", p.act)
	mux.HandleFunc("GET /page/events", p.events)
	if o.Clouds != nil {
		mux.Handle("GET /clouds/", o.Clouds)
		mux.Handle("POST /clouds/", o.Clouds)
	}
	return guarded(http.NewCrossOriginProtection().Handler(mux))
}

// guarded refuses requests for names that are not this machine's: a page of
// another site may have its own name pointed at 127.0.0.1 and would then count
// as the same origin (DNS rebinding).
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHost(r) {
			pageFail(w, http.StatusForbidden, "open this page as localhost or 127.0.0.1")
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// ownHost says whether the request names this machine by a loopback name or
// address, or by the address on which the connection came in.
func ownHost(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap() == ip.Unmap()
}

func pageJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the page is gone: nobody left to tell
}

func pageFail(w http.ResponseWriter, status int, why string) {
	pageJSON(w, status, obj{"ok": false, "error": why})
}
