package cloudsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far a timestamp may be from the cloud's clock (common error
// AuthFailure.SignatureExpire: five minutes).
const maxSkew = 5 * time.Minute

// authenticate verifies the TC3-HMAC-SHA256 signature of a request ("Signature
// v3" of Tencent's API 3.0) and says whose it is. The canonical URI is always
// "/": the product's own SDK signs that whatever the path of its endpoint.
func (t *tencent) authenticate(r *http.Request, body []byte) (TencentAccount, error) {
	var none TencentAccount
	credential, signed, signature, ok := parseTC3(r.Header.Get("Authorization"))
	if !ok {
		return none, refuse("AuthFailure.InvalidAuthorization", "The `Authorization` in the request header is invalid.")
	}
	secretID, scope, _ := strings.Cut(credential, "/")
	part := strings.Split(scope, "/")
	if len(part) != 3 || part[1] != "emr" || part[2] != "tc3_request" {
		return none, refuse("AuthFailure.InvalidAuthorization", "The credential scope `%s` is invalid.", scope)
	}
	stamp := r.Header.Get("X-TC-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return none, refuse(codeMissing, "The request is missing a required parameter `Timestamp`.")
	}
	at := time.Unix(seconds, 0).UTC()
	if at.Sub(t.sim.now()).Abs() > maxSkew {
		return none, refuse("AuthFailure.SignatureExpire", "The provided credentials could not be validated because the signature has expired; timestamp %s, server time %d.", stamp, t.sim.now().Unix())
	}
	i := slices.IndexFunc(t.accounts, func(a TencentAccount) bool { return a.SecretID == secretID })
	if i < 0 {
		return none, refuse("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct.")
	}
	account := t.accounts[i]

	headers := strings.Split(signed, ";")
	if !slices.Contains(headers, "content-type") || !slices.Contains(headers, "host") || !slices.IsSorted(headers) || part[0] != at.Format(time.DateOnly) {
		return none, badSignature()
	}
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n/\n" + r.URL.RawQuery + "\n")
	for _, h := range headers {
		v := r.Header.Get(h)
		if h == "host" {
			v = r.Host
		}
		canonical.WriteString(h + ":" + strings.ToLower(strings.TrimSpace(v)) + "\n")
	}
	canonical.WriteString("\n" + signed + "\n" + hexSHA256(body))
	toSign := "TC3-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hexSHA256([]byte(canonical.String()))

	key := []byte("TC3" + account.SecretKey)
	for _, p := range part {
		key = mac(key, p)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(mac(key, toSign))), []byte(signature)) {
		return none, badSignature()
	}
	if r.Header.Get("X-TC-Token") != account.Token {
		return none, refuse("AuthFailure.TokenFailure", "The token does not match the SecretId.")
	}
	return account, nil
}

func badSignature() error {
	return refuse(codeSignature, "The provided credentials could not be validated. Please check your signature is correct.")
}

// parseTC3 takes an Authorization header apart. Its three fields come in a
// fixed order in the vendor's text, but nothing there forbids another.
func parseTC3(header string) (credential, signed, signature string, ok bool) {
	rest, ok := strings.CutPrefix(header, "TC3-HMAC-SHA256 ")
	if !ok {
		return "", "", "", false
	}
	for field := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch k {
		case "Credential":
			credential = v
		case "SignedHeaders":
			signed = v
		case "Signature":
			signature = v
		}
	}
	return credential, signed, signature, credential != "" && signed != "" && signature != ""
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
