package huaweimrs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

var known = []error{context.Canceled, context.DeadlineExceeded, errUnreadable, errNotSucceeded}

// said is an error answer of the cloud.
type said struct {
	status  int
	code    string // "" = it gave none that can be read
	inner   string // the service behind that failed, with its code: "ECS Ecs.0319"
	message string
	request string
}

// saidBy reads an error answer; false where there is none: a network fault, an
// answer that could not be read to its end, or one below 400 (the SDK reports
// an undecodable 200 in the same type).
func saidBy(err error) (said, bool) {
	var se *sdkerr.ServiceResponseError
	if !errors.As(err, &se) || se.StatusCode < http.StatusBadRequest {
		return said{}, false
	}
	s := said{status: se.StatusCode, code: se.ErrorCode, message: se.ErrorMessage, request: se.RequestId}
	if s.code == "" {
		s.parse(se.ErrorMessage)
	}
	if m := behind.FindStringSubmatch(s.message); m != nil {
		s.inner = m[1] + " " + m[2]
	}
	return s, true
}

// behind finds the code of the service that failed inside MRS, in the document's
// form "(ECS:xxxx, …)".
var behind = regexp.MustCompile(`[(（]\s*(ECS|IAM|VPC)\s*[:：]\s*([A-Za-z0-9_.-]+)`)

// parse reads a body that the SDK kept whole because its code is a number or is
// named in another way (reference section 9), also one level down.
func (s *said) parse(body string) {
	var top map[string]json.RawMessage
	if json.Unmarshal([]byte(body), &top) != nil {
		return
	}
	s.fields(top)
	for _, raw := range top {
		var nested map[string]json.RawMessage
		if s.code == "" && json.Unmarshal(raw, &nested) == nil {
			s.fields(nested)
		}
	}
}

func (s *said) fields(m map[string]json.RawMessage) {
	first := func(names ...string) (t text) {
		for _, n := range names {
			if raw, ok := m[n]; ok && t == "" && t.UnmarshalJSON(raw) != nil {
				t = ""
			}
		}
		return t
	}
	if code := first("error_code", "errorCode", "code"); code != "" {
		s.code = string(code)
		if msg := first("error_msg", "errorMsg", "message"); msg != "" {
			s.message = string(msg)
		}
	}
}

// classify turns what a call gave into the port's error.
func (p *provider) classify(x *exchange, k keys, err error) *providers.Error {
	if own, ok := errors.AsType[*providers.Error](err); ok {
		return own // ours, from before anything was sent
	}
	e := &providers.Error{Op: x.action, RequestID: x.requestID, Err: p.cause(k, err)}
	if s, answered := saidBy(err); answered {
		// Cleaned before it is cut: half a key is a secret too.
		s.code = adapter.Cut(p.scrub.Clean(s.code, k.id, k.key, k.token), 60)
		s.inner = p.scrub.Clean(s.inner, k.id, k.key, k.token)
		e.Code = s.code
		if s.request != "" {
			e.RequestID = adapter.Cut(s.request, 100)
		}
		e.Err = p.cause(k, fmt.Errorf("HTTP %d: %s", s.status, s.message))
		r := s.rule()
		e.Kind, e.Advice = r.read, s.advised(r, x.write)
		if x.write {
			e.Kind = r.write
		}
		e.Throttled = e.Kind == providers.Retry && r.advice == throttled.advice
		if e.Kind == providers.Auth {
			e.Advice = p.forAccount(e.Advice)
		}
		return e
	}
	switch {
	case !x.sent.Load():
		// Of such a call no byte left.
		e.Kind, e.Advice = providers.Retry, adviceSlow
		if advice, ok := cloud.Unreachable(err); ok {
			e.Advice = advice
		}
	case x.write:
		// Answer lost, cut, unreadable or without the promised result: the change
		// may have happened.
		e.Kind, e.Advice = providers.Unknown, inDoubt
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e.Kind, e.Advice = providers.Retry, adviceSlow
	default:
		e.Kind, e.Advice = providers.Retry, adviceBroken
	}
	return e
}

func (p *provider) credentialError(x *exchange, err error) *providers.Error {
	e := &providers.Error{Op: x.action, Err: p.cause(keys{}, err), Kind: providers.Auth, Advice: p.forAccount(providers.Text{
		EN: "No credentials were found: set access_key and secret_key of the account, or the environment, profile file or instance agency of the host.",
		ZH: "未找到凭证：请配置账号的 access_key 和 secret_key，或主机的环境变量、凭证文件或实例委托。",
	})}
	if errors.Is(err, adapter.ErrCredentialsSlow) {
		e.Kind = providers.Retry
	}
	return e
}

func (p *provider) forAccount(t providers.Text) providers.Text {
	return providers.Text{
		EN: fmt.Sprintf("Account %s: %s `scalebot check` tests it.", p.account.Name, t.EN),
		ZH: fmt.Sprintf("账号 %s：%s可用 `scalebot check` 检查。", p.account.Name, t.ZH),
	}
}

// cause keeps of an SDK's error what may be kept, without this call's keys.
func (p *provider) cause(k keys, err error) error {
	return p.scrub.Cause(err, known, k.id, k.key, k.token)
}

func refuse(en, zh string) *providers.Error {
	return providers.Refusef(providers.Text{EN: en, ZH: zh})
}
