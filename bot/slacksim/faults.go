package slacksim

import (
	"time"
)

// FaultKind is a way in which a Web API call goes wrong.
type FaultKind string

// The faults of calls. All but ResetAfter, HangAfter and Slow keep the call from
// having any effect.
const (
	RateLimited FaultKind = "rate_limited" // HTTP 429 with Retry-After
	Error500    FaultKind = "error_500"    // HTTP 500, empty
	HTML502     FaultKind = "html_502"     // HTTP 502 with an HTML page
	APIError    FaultKind = "api_error"    // ok:false with Fault.Code
	Hang        FaultKind = "hang"         // no answer until the caller gives up
	ResetBefore FaultKind = "reset_before" // the connection is reset, nothing was done
	ResetAfter  FaultKind = "reset_after"  // it was done, then the connection is reset: a lost answer
	HangAfter   FaultKind = "hang_after"   // it was done, then no answer: a lost answer
	Slow        FaultKind = "slow"         // done and answered after Fault.Delay
)

// Forever as Fault.Times keeps a fault until ClearFaults.
const Forever = -1

// Fault is an injected failure.
type Fault struct {
	Kind       FaultKind
	Times      int           // how many calls it strikes; 0 = one, Forever = until cleared
	Skip       int           // let this many calls pass first
	RetryAfter int           // seconds, with RateLimited; 0 = 1
	Code       string        // with APIError, e.g. fatal_error
	Delay      time.Duration // of the machine's clock, with Slow
	Channel    string        // strikes only calls about this channel; "" = all
}

// ResponseURL is the method name of posts to a response_url, for Fail and
// Requests.
const ResponseURL = "response_url"

// AllMethods as a method name in Fail means every Web API method.
const AllMethods = "*"

// Fail injects a fault into calls of a method. Several faults of one method
// strike in the order they were given.
func (s *Server) Fail(method string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults[method] = append(s.faults[method], &f)
}

// ClearFaults ends the faults of the methods, or all faults of calls if none is
// named.
func (s *Server) ClearFaults(methods ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(methods) == 0 {
		clear(s.faults)
	}
	for _, m := range methods {
		delete(s.faults, m)
	}
}

// takeFault uses up a fault for the call, if one strikes.
func (s *Server) takeFault(method, channel string) *Fault {
	for _, key := range []string{method, AllMethods} {
		for i, f := range s.faults[key] {
			if f.Channel != "" && f.Channel != channel {
				continue
			}
			if f.Skip > 0 {
				f.Skip--
				return nil
			}
			if f.Times != Forever {
				if f.Times--; f.Times == 0 {
					s.faults[key] = append(s.faults[key][:i:i], s.faults[key][i+1:]...)
				}
			}
			return f
		}
	}
	return nil
}
