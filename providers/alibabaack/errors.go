package alibabaack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"github.com/alibabacloud-go/tea/tea"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

var (
	// errNoTask is HTTP 2xx to a change without a task id; the SDK reports no
	// error even for {"code": …}. Read as "nothing happened" it would order
	// twice, read as accepted it could not be followed.
	errNoTask = errors.New("the answer names no task")
	// errNoAnswer is HTTP 2xx to a read without what was asked for.
	errNoAnswer = errors.New("the answer holds nothing of what was asked for")
)

var known = []error{context.Canceled, context.DeadlineExceeded, errNoTask, errNoAnswer, errOddPrice}

// classify turns what a call gave into the port's error.
func (p *provider) classify(x exchange, k keys, err error) *providers.Error {
	if own, ok := errors.AsType[*providers.Error](err); ok {
		return own // ours, from before anything was sent
	}
	var se *tea.SDKError
	if errors.As(err, &se) {
		return p.answered(x, k, se)
	}
	e := &providers.Error{Op: x.action, Err: p.cause(k, err)}
	advice, unreachable := cloud.Unreachable(err)
	switch {
	case unreachable:
		e.Kind, e.Advice = providers.Retry, advice
	case x.mode == write:
		// Answer lost, cut or unreadable: the change may have happened.
		e.Kind, e.Advice = providers.Unknown, inDoubt
	default:
		e.Kind, e.Advice = providers.Retry, adviceBroken
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			e.Advice = adviceSlow
		}
	}
	return e
}

// answered reads an error that the cloud gave in JSON.
func (p *provider) answered(x exchange, k keys, se *tea.SDKError) *providers.Error {
	e := &providers.Error{Op: x.action, Err: p.cause(k, se)}
	if c := value(se.Code); c != "<nil>" { // the SDK's text for none
		e.Code = adapter.Cut(p.scrub.Clean(c, k.id, k.key, k.token), 100)
	}
	e.RequestID = requestOf(se)
	r, listed := lookup(e.Code)
	status := value(se.StatusCode)
	if !listed {
		r = byStatus(status)
	}
	e.Kind, e.Advice, e.Throttled = r.kind(x.mode), r.advice, r == throttled
	if x.mode == write && status >= 500 && e.Kind != providers.Retry {
		// A fault on the way may have come after the change was taken, whatever
		// it calls itself. Throttling alone is known to come before.
		e.Kind = providers.Unknown
	}
	switch e.Kind {
	case providers.Auth:
		e.Advice = p.forAccount(x, e.Advice)
	case providers.Unknown:
		e.Advice = inDoubt
	case providers.Retry, providers.Occupied, providers.Refused, providers.NotFound:
	}
	return e
}

// requestOf finds the request id. The SDK looks for RequestId only and writes
// "<nil>" for ACK's request_id, but keeps the whole body as text.
func requestOf(se *tea.SDKError) string {
	var body map[string]any
	if json.Unmarshal([]byte(value(se.Data)), &body) != nil {
		return ""
	}
	return requestID(body)
}

func requestID(body map[string]any) string {
	for _, key := range []string{"request_id", "RequestId", "requestId", "requestid"} {
		if s, ok := body[key].(string); ok && s != "" {
			return adapter.Cut(s, 100)
		}
	}
	return ""
}

// abandoned is a call whose caller could wait no longer.
func (p *provider) abandoned(x exchange, k keys, err error) *providers.Error {
	e := &providers.Error{Op: x.action, Kind: providers.Retry, Advice: adviceSlow, Err: p.cause(k, err)}
	if x.mode == write {
		e.Kind, e.Advice = providers.Unknown, inDoubt
	}
	return e
}

// notSent is a call whose context had ended before.
func (p *provider) notSent(x exchange, err error) *providers.Error {
	return &providers.Error{Op: x.action, Kind: providers.Retry, Err: p.cause(keys{}, err), Advice: providers.Text{
		EN: "There was no time left to send this, so it was not sent; it is tried again by itself.",
		ZH: "已没有时间发送，因此未发出，稍后会自动重试。",
	}}
}

func (p *provider) credentialError(x exchange, err error) *providers.Error {
	e := &providers.Error{
		Op: x.action, Err: p.cause(keys{}, err), Kind: providers.Auth,
		Advice: p.forAccount(x, rules["InvalidCredentials"].advice),
	}
	if errors.Is(err, adapter.ErrCredentialsSlow) {
		e.Kind = providers.Retry
	}
	return e
}

func (p *provider) forAccount(x exchange, t providers.Text) providers.Text {
	return providers.Text{
		EN: fmt.Sprintf("Account %s, action %s: %s `scalebot check` tests it.", p.account.Name, x.action, t.EN),
		ZH: fmt.Sprintf("账号 %s，操作 %s：%s可用 `scalebot check` 检查。", p.account.Name, x.action, t.ZH),
	}
}

// cause keeps of an SDK's error what may be kept, without this call's keys.
func (p *provider) cause(k keys, err error) error {
	return p.scrub.Cause(err, known, k.id, k.key, k.token)
}

func refuse(en, zh string) *providers.Error {
	return providers.Refusef(providers.Text{EN: en, ZH: zh})
}
