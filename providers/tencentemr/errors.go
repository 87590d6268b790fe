package tencentemr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// errNoAnswer is HTTP 200 with JSON that holds no Response.
var errNoAnswer = errors.New("the answer holds no Response")

var known = []error{context.Canceled, context.DeadlineExceeded, errNotText}

// classify turns what a call gave into the port's error.
func (p *provider) classify(x exchange, k keys, err error) *providers.Error {
	if own, ok := errors.AsType[*providers.Error](err); ok {
		return own // ours, from before anything was sent
	}
	e := &providers.Error{Op: x.action, Err: p.cause(k, err)}
	var se *tcerr.TencentCloudSDKError
	answered := errors.As(err, &se) && !strings.HasPrefix(se.Code, "ClientError")
	if answered {
		e.Code, e.RequestID = adapter.Cut(p.scrub.Clean(se.Code, k.id, k.key, k.token), 100), adapter.Cut(se.RequestId, 100)
		r := lookup(se.Code)
		e.Kind, e.Advice, e.Throttled = r.kind(x), r.advice, r == throttled
		if e.Kind == providers.Auth {
			e.Advice = p.forAccount(e.Advice)
		}
		if e.Kind == providers.Unknown {
			e.Advice = inDoubt
		}
		return e
	}
	if se != nil {
		e.Code = se.Code
	}
	switch {
	case !x.sent:
		// Of such a call no byte left.
		e.Kind, e.Advice = providers.Retry, adviceSlow
		if advice, ok := cloud.Unreachable(err); ok {
			e.Advice = advice
		}
	case x.write:
		// Answer lost, cut or unreadable: the change may have happened.
		e.Kind, e.Advice = providers.Unknown, inDoubt
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e.Kind, e.Advice = providers.Retry, adviceSlow
	default:
		e.Kind, e.Advice = providers.Retry, adviceBroken
	}
	return e
}

func (p *provider) credentialError(x exchange, err error) *providers.Error {
	e := &providers.Error{Op: x.action, Err: p.cause(keys{}, err), Kind: providers.Auth, Advice: p.forAccount(providers.Text{
		EN: "No credentials were found: set secret_id and secret_key of the account, or the environment, profile file or instance role of the host.",
		ZH: "未找到凭证：请配置账号的 secret_id 和 secret_key，或主机的环境变量、凭证文件或实例角色。",
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
