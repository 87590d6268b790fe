package huaweimrs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/providertest"
)

// Every code of the document and of the reference has the class that they give
// it, on the wire and not only in the table.
func TestCodes(t *testing.T) {
	const u, r, f, n, a, o = providers.Unknown, providers.Retry, providers.Refused, providers.NotFound, providers.Auth, providers.Occupied
	type class struct{ write, read providers.Kind }
	want := map[string]class{
		// The document, table 6: all thirty.
		"12000001": {a, a}, "12000002": {f, r}, "12000003": {n, n}, "12000009": {f, r},
		"12000013": {u, r}, "12000014": {u, r}, "12000017": {o, r}, "12000018": {o, r}, "12000019": {r, r},
		"12000028": {f, r}, "12000029": {r, r}, "12000030": {f, r}, "12000031": {f, r}, "12000032": {f, r},
		"12000033": {f, r}, "12000034": {f, r}, "12000054": {f, r}, "12000065": {f, r}, "12000067": {f, r},
		"12000068": {o, r}, "12000121": {f, r},
		"MRS.101": {f, r}, "MRS.102": {r, r}, "MRS.103": {f, r}, "MRS.104": {f, r}, "MRS.105": {f, r},
		"MRS.201": {u, r}, "MRS.202": {u, r}, "MRS.203": {u, r}, "MRS.300": {u, r},
		// The reference, section 9.
		"12000004": {u, r}, "12000012": {o, r}, "12000125": {o, r}, "12000127": {o, r}, "12000128": {o, r},
		"12000052": {a, a}, "12000126": {a, a}, "12000136": {a, a}, "12000107": {a, a},
		"12000123": {f, r}, "12000124": {f, r}, "12000048": {f, r}, "12000090": {f, r}, "12000094": {f, r},
		"12000233": {f, r}, "12000234": {f, r}, "12000138": {f, r}, "12000139": {f, r}, "12000140": {f, r},
		"12000141": {f, r}, "12000142": {f, r},
		"APIGW.0301": {a, a}, "APIG.0301": {a, a}, "APIGW.0101": {f, n}, "APIGW.0308": {r, r}, "APIG.0308": {r, r},
		"CBC.0100": {f, r}, "CBC.0101": {f, r}, "CBC.0151": {a, a},
		"SomethingNew": {u, r},
	}
	raw, err := os.ReadFile("testdata/document-codes.txt")
	require.NoError(t, err)
	documented := strings.Fields(string(raw))
	require.Len(t, documented, 30)
	for _, code := range documented {
		require.Contains(t, want, code)
		require.Contains(t, rules, code, "the document and the table can't drift apart")
	}
	for code := range rules {
		require.Contains(t, want, code)
	}
	for code, class := range want {
		// The status is no guide: the same code means the same behind any.
		for _, status := range []int{http.StatusBadRequest, http.StatusInternalServerError} {
			t.Run(fmt.Sprintf("%s %d", code, status), func(t *testing.T) {
				b := newBench(t, nil)
				sub := b.submission(t, change("task", 2))
				b.always(resize, fault(status, code))
				b.always("ShowClusterDetails", fault(status, code))
				_, err := b.p.Submit(context.Background(), sub)
				requireKind(t, class.write, err)
				require.Len(t, b.of(resize), 1)
				requireOurs(t, err, code)
				_, err = b.p.Observe(context.Background(), here)
				requireKind(t, class.read, err)
				requireOurs(t, err, code)
				if class.read == a {
					require.Contains(t, providers.AdviceOf(err).EN, "mrs-n4", "the person must learn whose keys are wrong")
				}
			})
		}
	}
}

func requireOurs(t *testing.T, err error, code string) {
	t.Helper()
	providertest.Presentable(t, err, accessKey, secretKey)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	require.Equal(t, "rid", e.RequestID)
	var sdk *sdkerr.ServiceResponseError
	require.False(t, errors.As(err, &sdk), "the SDK's type leaks")
}

var oneToThreeSentences = regexp.MustCompile(`^[A-Z][^\n]{10,300}\.$`)

func TestAdviceSaysWhatToDo(t *testing.T) {
	for code, r := range rules {
		require.Regexp(t, oneToThreeSentences, r.advice.EN, code)
		require.True(t, strings.HasSuffix(r.advice.ZH, "。"), code)
		require.Contains(t, []providers.Kind{providers.Retry, providers.NotFound, providers.Auth}, r.read, "%s: a read is never anything else", code)
	}
}

// A code is found in every form in which the service or its gateway writes one.
func TestFormsOfErrors(t *testing.T) {
	const u, r, a, o = providers.Unknown, providers.Retry, providers.Auth, providers.Occupied
	for name, tc := range map[string]struct {
		status      int
		body        string
		code        string
		write, read providers.Kind
	}{
		"a number":                 {400, `{"error_code":12000018,"error_msg":"缩容/扩容中的集群"}`, "12000018", o, r},
		"a number, one level down": {400, `{"error":{"error_code":12000018,"error_msg":"x"}}`, "12000018", o, r},
		"camelCase":                {400, `{"errorCode":"12000018","errorMsg":"x"}`, "12000018", o, r},
		"code and message":         {400, `{"code":"12000018","message":"x"}`, "12000018", o, r},
		"a text, one level down":   {400, `{"error":{"code":"12000018","message":"x"}}`, "12000018", o, r},
		"a code without a message": {400, `{"error_code":"12000018"}`, "12000018", o, r},
		"IAM's number":             {401, `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`, "401", a, a},
		"a policy's denial":        {403, `{"error_code":"PolicyNotAllowed","error_msg":"x"}`, "PolicyNotAllowed", a, a},
		"too many, code unknown":   {429, `{"error_code":"TooMany","error_msg":"x"}`, "TooMany", r, r},
		"JSON without a code":      {400, `{"message":"x"}`, "", u, r},
		"a page":                   {503, `<html>busy</html>`, "", u, r},
		"a page that denies":       {403, `<html>no</html>`, "", u, a},
		"a page that throttles":    {429, `<html>slow down</html>`, "", u, r},
		"a 404 page":               {404, `<html>not here</html>`, "", u, r},
		"nothing":                  {500, ``, "", u, r},
		"a list":                   {400, `["12000018"]`, "", u, r},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			say := answer{status: tc.status, body: tc.body}
			b.always(resize, say)
			b.always("ShowClusterDetails", say)
			_, err := b.p.Submit(context.Background(), sub)
			requireKind(t, tc.write, err, "%v", err)
			requireOurs(t, err, tc.code)
			_, err = b.p.Observe(context.Background(), here)
			requireKind(t, tc.read, err, "%v", err)
			requireOurs(t, err, tc.code)
		})
	}
}

// The code of the service behind is what its support asks for.
func TestServiceBehind(t *testing.T) {
	for msg, want := range map[string]string{
		"因ECS服务导致失败，请稍后重试或联系客服。(ECS:Ecs.0319, 资源不足)":     "ECS Ecs.0319",
		"failed because of VPC（VPC：VPC.0202，no address）": "VPC VPC.0202",
		"no code at all": "",
	} {
		b := newBench(t, nil)
		b.always(resize, answer{status: 400, body: fmt.Sprintf(`{"error_code":"MRS.201","error_msg":%q}`, msg)})
		_, err := b.submit(t, change("task", 1))
		requireKind(t, providers.Unknown, err)
		require.ErrorContains(t, err, "MRS.201")
		require.Equal(t, want != "", strings.Contains(providers.AdviceOf(err).EN, "The service behind says"))
		require.Contains(t, providers.AdviceOf(err).EN, want)
		require.Contains(t, providers.AdviceOf(err).ZH, want)
	}
}

// What is broken on the way, for a change and for a read.
func TestTransport(t *testing.T) {
	for name, say := range map[string]answer{
		"closed without an answer": {drop: true},
		"a gateway's 502 page":     {status: 502, body: "<html>" + strings.Repeat("no ", 10_000) + secretKey + "</html>"},
		"200 with nothing":         {},
		"200 with empty JSON":      {body: `{}`},
		"200 cut off":              {body: `{"result":"succ`},
		"200 with a page":          {body: "<html>" + accessKey + "</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			b.always(resize, say)
			b.always("ShowClusterDetails", say)
			_, err := b.p.Submit(context.Background(), sub)
			requireKind(t, providers.Unknown, err)
			require.Len(t, b.of(resize), 1)
			providertest.Presentable(t, err, accessKey, secretKey)
			_, err = b.p.Observe(context.Background(), here)
			requireKind(t, providers.Retry, err)
			require.Len(t, b.of("ShowClusterDetails"), 2, "one of the submission, one here: the transport repeats no read")
			providertest.Presentable(t, err, accessKey, secretKey)
		})
	}
}

// A key that an answer echoes stays out of every text.
func TestEchoedKeysAreScrubbed(t *testing.T) {
	b := newBench(t, nil)
	b.always("ShowClusterDetails", answer{status: 401, body: fmt.Sprintf(`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: AK %s with %s not found"}`, accessKey, secretKey)})
	_, err := b.p.Observe(context.Background(), here)
	requireKind(t, providers.Auth, err)
	require.ErrorContains(t, err, "[secret]")
	providertest.Presentable(t, err, accessKey, secretKey)
}

func TestKeysInCodesAreScrubbed(t *testing.T) {
	for _, body := range []string{
		fmt.Sprintf(`{"error_code":"%s%s","error_msg":"no"}`, strings.Repeat("x", 60-len(accessKey)/2), accessKey),
		fmt.Sprintf(`{"error_code":"MRS.101","error_msg":"it failed (IAM: %s)"}`, accessKey),
	} {
		b := newBench(t, nil)
		b.always("ShowClusterDetails", answer{status: 400, body: body})
		_, err := b.p.Observe(context.Background(), here)
		providertest.Presentable(t, err, accessKey, secretKey, accessKey[:len(accessKey)/2])
		require.NotContains(t, providers.AdviceOf(err).EN, accessKey)
	}
}

// A token that the service does not take now may be taken in a moment; whoever
// keeps being refused must read that it is the key.
func TestATokenRefusedOnceIsNoEnd(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", 2))
	b.always(resize, answer{status: http.StatusUnauthorized, body: `{"error_code":"MRS.102","error_msg":"用户Token为空或不合法，请稍后重试或联系客服。"}`})
	_, err := b.p.Submit(context.Background(), sub)
	requireKind(t, providers.Retry, err)
	require.Contains(t, providers.AdviceOf(err).EN, "put a valid key into the account")
}
