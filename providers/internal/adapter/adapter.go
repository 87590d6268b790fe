// Package adapter holds what the adapters of all clouds do in the same way and
// none may do otherwise: keep secrets out of what is said (Scrubber, TypeName),
// refuse to send what was held up (InTime), wait for the shared rate and for
// credentials without letting a caller hang, read config's params, and choose the
// nodes that go. It is one copy because three had drifted apart, and the difference
// was a secret in a log or a change sent twice. It refuses to know an SDK, a wire
// or a code of any cloud: what differs by cloud stays in the cloud's adapter.
package adapter

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"scalebot/providers"
)

// SendWithin is how long after the intent was saved a change may still be sent. A
// replica that was frozen between saving and sending must not send: people, and
// other replicas told by them, have drawn conclusions since.
const SendWithin = 30 * time.Second

// InTime refuses to send a change whose intent is too old. It is to be asked at the
// very last, right before the call and after every wait for a shared rate, for
// credentials or for an id: a context can't stand in for it, because its time does
// not pass while the machine is suspended, and neither may a clock with a monotonic
// reading. What remains is the moment in which the call's connection comes about.
func InTime(action string, now time.Time, sub providers.Submission) error {
	late := now.Sub(sub.SentAt)
	if late <= SendWithin {
		return nil
	}
	return &providers.Error{
		Kind: providers.Retry, Op: action,
		Err: fmt.Errorf("the intent is %s old", late.Round(time.Second)),
		Advice: providers.Text{
			EN: "The change was held up before it could be sent, so it was not sent; it is tried again by itself.",
			ZH: "变更在发出前被耽搁，因此未发出，稍后会自动重试。",
		},
	}
}

// Cloud is a cloud's name in the sentences that are the same for all.
type Cloud providers.Text

// Slow is what to say of a call that was given up.
func (c Cloud) Slow() providers.Text {
	return providers.Text{
		EN: c.EN + " did not answer in time; it is tried again by itself.",
		ZH: c.ZH + "未在规定时间内响应，稍后会自动重试。",
	}
}

// Broken is what to say of an answer to a read that is no answer.
func (c Cloud) Broken() providers.Text {
	return providers.Text{
		EN: c.EN + " gave an answer that can't be read; it is tried again by itself.",
		ZH: c.ZH + "返回了无法识别的结果，稍后会自动重试。",
	}
}

// Unreachable is what to say of a call for which no connection came about; false
// where the error does not tell that.
func (c Cloud) Unreachable(err error) (providers.Text, bool) {
	var (
		cert *tls.CertificateVerificationError
		op   *net.OpError
	)
	switch {
	case errors.As(err, &cert):
		return providers.Text{
			EN: "Nothing was sent: the certificate of " + c.EN + "'s address is not trusted here. Check the account's endpoint and the CA certificates of the host.",
			ZH: "请求未发出：不信任" + c.ZH + "地址的证书，请检查账号的 endpoint 配置和主机的 CA 证书。",
		}, true
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		return providers.Text{
			EN: "Nothing was sent: " + c.EN + "'s address can't be reached. Check the account's endpoint, DNS and the proxy; it is tried again by itself.",
			ZH: "请求未发出：无法连接" + c.ZH + "地址，请检查账号的 endpoint、DNS 和代理；稍后会自动重试。",
		}, true
	}
	return providers.Text{}, false
}

// Wait keeps to a rate, over all replicas. Without a limiter (tests, the doctor)
// nothing holds the caller back and the service's own throttling answers.
func (c Cloud) Wait(ctx context.Context, l providers.Limiter, name, action string, rate int) error {
	if l == nil {
		return nil
	}
	if err := l.Wait(ctx, name+"/"+action, rate); err != nil {
		return &providers.Error{
			Kind: providers.Retry, Op: action, Err: fmt.Errorf("rate limit: %w", err),
			Advice: providers.Text{
				EN: "Too many calls to " + c.EN + " right now, so this one was not sent; it is tried again by itself.",
				ZH: "当前对" + c.ZH + "的调用过多，本次请求未发出，稍后会自动重试。",
			},
		}
	}
	return nil
}

// LimitName is the first part of an account's names in the limiter. Two accounts of
// config with one key share one allowance at the cloud, and so here.
func LimitName(kind string, a providers.Account) string {
	if a.KeyID == "" {
		return kind + "/" + a.Name
	}
	sum := sha256.Sum256([]byte(a.KeyID.Reveal()))
	return kind + "/" + hex.EncodeToString(sum[:6])
}
