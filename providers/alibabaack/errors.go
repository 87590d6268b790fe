package alibabaack

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

	"github.com/alibabacloud-go/tea/tea"

	"scalebot/providers"
)

var (
	// errNoTask is HTTP 2xx to a change without a task id; the SDK reports no
	// error even for {"code": …}. Read as "nothing happened" it would order
	// twice, read as accepted it could not be followed.
	errNoTask = errors.New("the answer names no task")
	// errNoAnswer is HTTP 2xx to a read without what was asked for.
	errNoAnswer = errors.New("the answer holds nothing of what was asked for")
)

// maxCause is how much of a foreign message is kept, in bytes.
const maxCause = 600

// cause is what is kept of an SDK error: its text, cut and scrubbed, and which
// of the errors that callers ask for it was. The SDK's own type stays here.
type cause struct {
	text string
	is   error // one of known, or nil
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.is }

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
	var (
		cert *tls.CertificateVerificationError
		op   *net.OpError
	)
	switch {
	case errors.As(err, &cert):
		e.Kind, e.Advice = providers.Retry, providers.Text{
			EN: "Nothing was sent: the certificate of Alibaba Cloud's address is not trusted here. Check the account's endpoint and the CA certificates of the host.",
			ZH: "请求未发出：不信任阿里云地址的证书，请检查账号的 endpoint 配置和主机的 CA 证书。",
		}
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		e.Kind, e.Advice = providers.Retry, providers.Text{
			EN: "Nothing was sent: Alibaba Cloud's address can't be reached. Check the account's endpoint, DNS and the proxy; it is tried again by itself.",
			ZH: "请求未发出：无法连接阿里云地址，请检查账号的 endpoint、DNS 和代理；稍后会自动重试。",
		}
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
		e.Code = cut(p.scrub.clean(c, k), 100)
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
			return cut(s, 100)
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
	if errors.Is(err, errCredentialsSlow) {
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
// pages echo requests, and RAM's messages may name the key they refuse.
type scrubber struct{ secrets []string }

func (s *scrubber) add(secrets ...string) {
	for _, x := range secrets {
		// Anything shorter would tear holes into ordinary words.
		if len(x) < 4 {
			continue
		}
		s.secrets = append(s.secrets, x)
		// A message that echoes the request holds the secret as JSON wrote it,
		// and the SDK's error text quotes the whole answer once more.
		for range 2 {
			quoted := quote(x)
			if quoted == x {
				break
			}
			s.secrets = append(s.secrets, quoted)
			x = quoted
		}
	}
}

// quote writes a text as the SDK writes it inside JSON: without HTML's escapes.
func quote(x string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(x) != nil {
		return x
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
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
