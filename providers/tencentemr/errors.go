package tencentemr

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode/utf8"

	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"scalebot/providers"
)

// errNoAnswer is HTTP 200 with JSON that holds no Response.
var errNoAnswer = errors.New("the answer holds no Response")

// maxCause is how much of a foreign message is kept, in bytes: a gateway's HTML
// page arrives whole in the SDK's message.
const maxCause = 600

// cause is what is kept of an SDK error: its text, cut and scrubbed, and which
// of the errors that callers ask for it was. The SDK's own type stays here.
type cause struct {
	text string
	is   error // one of known, or nil
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.is }

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
		e.Code, e.RequestID = se.Code, cut(se.RequestId, 100)
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
		return p.unsent(e, err)
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

// unsent fills an error of a call of which no byte left: no connection came
// about, or its certificate was not trusted.
func (p *provider) unsent(e *providers.Error, err error) *providers.Error {
	var (
		cert *tls.CertificateVerificationError
		op   *net.OpError
	)
	e.Kind, e.Advice = providers.Retry, adviceSlow
	switch {
	case errors.As(err, &cert):
		e.Advice = providers.Text{
			EN: "Nothing was sent: the certificate of Tencent Cloud's address is not trusted here. Check the account's endpoint and the CA certificates of the host.",
			ZH: "请求未发出：不信任腾讯云地址的证书，请检查账号的 endpoint 配置和主机的 CA 证书。",
		}
	case errors.As(err, &op) && op.Op == "dial":
		e.Advice = providers.Text{
			EN: "Nothing was sent: Tencent Cloud's address can't be reached. Check the account's endpoint, DNS and the proxy; it is tried again by itself.",
			ZH: "请求未发出：无法连接腾讯云地址，请检查账号的 endpoint、DNS 和代理；稍后会自动重试。",
		}
	}
	return e
}

func (p *provider) credentialError(x exchange, err error) *providers.Error {
	e := &providers.Error{Op: x.action, Err: p.cause(keys{}, err), Kind: providers.Auth, Advice: p.forAccount(providers.Text{
		EN: "No credentials were found: set secret_id and secret_key of the account, or the environment, profile file or instance role of the host.",
		ZH: "未找到凭证：请配置账号的 secret_id 和 secret_key，或主机的环境变量、凭证文件或实例角色。",
	})}
	if errors.Is(err, errCredentialsSlow) {
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

func (p *provider) cause(k keys, err error) *cause {
	c := &cause{text: cut(p.scrub.clean(err.Error(), k), maxCause)}
	for _, k := range known {
		if errors.Is(err, k) {
			c.is = k
		}
	}
	return c
}

// scrubber takes secrets out of texts that the cloud or a proxy wrote: error
// pages echo requests, and CAM's messages may name the key they refuse.
type scrubber struct{ secrets []string }

func (s *scrubber) add(secrets ...string) {
	for _, x := range secrets {
		// Anything shorter would tear holes into ordinary words.
		if len(x) < 4 {
			continue
		}
		s.secrets = append(s.secrets, x)
		// A page that echoes the request holds the secret as JSON wrote it.
		if b, err := json.Marshal(x); err == nil {
			if quoted := string(b[1 : len(b)-1]); quoted != x {
				s.secrets = append(s.secrets, quoted)
			}
		}
	}
}

func (s *scrubber) clean(text string, k keys) string {
	all := scrubber{secrets: slices.Clone(s.secrets)}
	all.add(k.id, k.key, k.token)
	for _, x := range all.secrets {
		text = strings.ReplaceAll(text, x, "[secret]")
	}
	return text
}

// cut shortens on a rune boundary and keeps what can be printed on one line.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

func refuse(en, zh string) *providers.Error {
	return providers.Refusef(providers.Text{EN: en, ZH: zh})
}
