package huaweimrs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"scalebot/providers"
)

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
	s := said{status: se.StatusCode, code: cut(se.ErrorCode, 60), message: se.ErrorMessage, request: se.RequestId}
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
		s.code = cut(string(code), 60)
		if msg := first("error_msg", "errorMsg", "message"); msg != "" {
			s.message = string(msg)
		}
	}
}

// classify turns what a call gave into the port's error.
func (p *provider) classify(x *exchange, k keys, err error) *providers.Error {
	e := &providers.Error{Op: x.action, RequestID: x.requestID, Err: p.cause(k, err)}
	if s, answered := saidBy(err); answered {
		e.Code = s.code
		if s.request != "" {
			e.RequestID = cut(s.request, 100)
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
		unsent(e, err)
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

// unsent fills an error of a call of which no byte left: no connection came
// about, its certificate was not trusted, or it came too late.
func unsent(e *providers.Error, err error) {
	var (
		cert *tls.CertificateVerificationError
		op   *net.OpError
	)
	e.Kind, e.Advice = providers.Retry, adviceSlow
	switch {
	case errors.Is(err, errHeldUp):
		e.Advice = providers.Text{
			EN: "The change was held up before it could be sent, so it was not sent; it is tried again by itself.",
			ZH: "变更在发出前被耽搁，因此未发出，稍后会自动重试。",
		}
	case errors.As(err, &cert):
		e.Advice = providers.Text{
			EN: "Nothing was sent: the certificate of Huawei Cloud's address is not trusted here. Check the account's endpoint and the CA certificates of the host.",
			ZH: "请求未发出：不信任华为云地址的证书，请检查账号的 endpoint 配置和主机的 CA 证书。",
		}
	case errors.As(err, &op) && op.Op == "dial":
		e.Advice = providers.Text{
			EN: "Nothing was sent: Huawei Cloud's address can't be reached. Check the account's endpoint, DNS and the proxy; it is tried again by itself.",
			ZH: "请求未发出：无法连接华为云地址，请检查账号的 endpoint、DNS 和代理；稍后会自动重试。",
		}
	}
}

func (p *provider) credentialError(x *exchange, err error) *providers.Error {
	e := &providers.Error{Op: x.action, Err: p.cause(keys{}, err), Kind: providers.Auth, Advice: p.forAccount(providers.Text{
		EN: "No credentials were found: set access_key and secret_key of the account, or the environment, profile file or instance agency of the host.",
		ZH: "未找到凭证：请配置账号的 access_key 和 secret_key，或主机的环境变量、凭证文件或实例委托。",
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
// pages echo requests, and a refused signature is answered with the key's name.
type scrubber struct{ secrets []string }

func (s *scrubber) add(secrets ...string) {
	for _, x := range secrets {
		if len(x) >= 4 { // anything shorter would tear holes into ordinary words
			s.secrets = append(s.secrets, x)
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
