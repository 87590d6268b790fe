package providers

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is the closed set of things that can go wrong with a cloud. The engine
// switches on it and on nothing else.
type Kind string

// The kinds. On Submit all but Unknown mean: the cloud certainly did not take
// the change.
const (
	Retry    Kind = "retry"     // throttled, slow, out of order for now: the same call later may work
	Occupied Kind = "occupied"  // the cluster takes no change now, another operation runs or nodes stand still: wait for it
	Refused  Kind = "refused"   // the cloud won't do this: a person must change something
	NotFound Kind = "not_found" // no such cluster, group, node or operation
	Auth     Kind = "auth"      // credentials wrong or not allowed
	Unknown  Kind = "unknown"   // only of a change: the answer is lost, it may have happened
)

// Kinds is every kind, for metrics that want to start at zero.
var Kinds = [...]Kind{Retry, Occupied, Refused, NotFound, Auth, Unknown}

// Error is a cloud's answer turned into a kind and one sentence of advice.
type Error struct {
	Kind      Kind
	Op        string    // the API action, e.g. ScaleOutCluster
	Code      string    // the cloud's own code; "" when it gave none
	RequestID string    // for the cloud's support
	Advice    Text      // what happened and what to do next, for the person in chat
	Throttled bool      // with Retry: the cloud answered, and asks for fewer calls
	RetryAt   time.Time // with Retry: before then it is of no use; zero = not known
	Err       error     // the cause; its text may be long and is for logs only
}

// Error is for logs: it names action, code and cause, never a credential.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", s, e.Err)
	}
	if e.Advice.EN != "" {
		s += ": " + e.Advice.EN
	}
	return s
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Refusef is the usual way for an adapter's pure methods to say no.
func Refusef(advice Text) *Error { return &Error{Kind: Refused, Advice: advice} }

// KindOf reads the kind of an error, "" of none. An error that no adapter
// classified, a cancelled context among them, is Unknown: for a change that is
// the only safe reading, and reads never get here.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unknown
}

// RetryAtOf is when the same call may be worth making again, as far as the error
// says; zero = it does not say.
func RetryAtOf(err error) time.Time {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAt
	}
	return time.Time{}
}

// AdviceOf returns the sentence for the person in chat; for an unclassified
// error a general one that leaks nothing of the cause.
func AdviceOf(err error) Text {
	var e *Error
	if errors.As(err, &e) && !e.Advice.IsZero() {
		return e.Advice
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Text{EN: "The cloud did not answer in time.", ZH: "云平台未在规定时间内响应。"}
	}
	return Text{EN: "The cloud gave an answer that scalebot can't read; the log has the details.", ZH: "云平台返回了无法识别的结果，详情见日志。"}
}
