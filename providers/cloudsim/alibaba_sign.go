package cloudsim

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// acSkew is how far a date may be from the cloud's clock (common error
// InvalidTimeStamp.Expired: 15 minutes).
const acSkew = 15 * time.Minute

// acStamp is the time format of the newer signatures, always in UTC.
const acStamp = "2006-01-02T15:04:05Z"

// authenticate verifies the signature of a request and says whose it is. There
// are three ways to sign: the ROA header of Container Service (page "Sign API
// requests"), the header of signature version 3 (page "Request syntax and
// signature method V3") and the query of the RPC style (page "Sign RPC APIs").
func (a *alibaba) authenticate(r *http.Request, body []byte) (AlibabaAccount, error) {
	auth := r.Header.Get("Authorization")
	switch {
	case strings.HasPrefix(auth, "acs "):
		return a.authenticateROA(r, body, auth)
	case strings.HasPrefix(auth, "ACS3-HMAC-SHA256 "):
		return a.authenticateV3(r, body, auth)
	case auth == "" && r.URL.Query().Has("Signature"):
		return a.authenticateRPC(r, body)
	case auth == "":
		return AlibabaAccount{}, acGate("MissingAccessKeyId", "AccessKeyId is mandatory for this action.")
	default:
		return AlibabaAccount{}, acGate("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
}

// authenticateROA is HMAC-SHA1 over method, four headers, all x-acs headers and
// the resource. It doesn't cover the body: Content-MD5 does, where it is given.
func (a *alibaba) authenticateROA(r *http.Request, body []byte, auth string) (AlibabaAccount, error) {
	id, signature, ok := strings.Cut(strings.TrimPrefix(auth, "acs "), ":")
	if !ok {
		return AlibabaAccount{}, acGate("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	date := r.Header.Get("Date")
	if date == "" {
		return AlibabaAccount{}, acGate("MissingDate", "Date is mandatory for this action.")
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return AlibabaAccount{}, acGate("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if r.Header.Get("X-Acs-Signature-Method") != "HMAC-SHA1" || r.Header.Get("X-Acs-Signature-Version") != "1.0" {
		return AlibabaAccount{}, acGate("InvalidSignatureMethod", "Specified signature method is not valid.")
	}
	if sum := md5.Sum(body); r.Header.Get("Content-Md5") != "" && r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) {
		return AlibabaAccount{}, acGate("ContentMD5NotMatched", "The Content-MD5 specified was invalid.")
	}
	var text strings.Builder
	text.WriteString(r.Method + "\n")
	for _, h := range []string{"Accept", "Content-Md5", "Content-Type", "Date"} {
		text.WriteString(r.Header.Get(h) + "\n")
	}
	for _, h := range acHeaders(r) {
		text.WriteString(h + ":" + strings.TrimSpace(r.Header.Get(h)) + "\n")
	}
	text.WriteString(acResource(r.URL))
	return a.owner(acProof{
		id: id, at: at, nonce: r.Header.Get("X-Acs-Signature-Nonce"), token: r.Header.Get("X-Acs-Security-Token"),
		text: text.String(), signature: signature,
		sign: func(secret, text string) string { return macSHA1(secret, text) },
	})
}

// acResource is the path as sent with the sorted query, whose values are signed
// as they are meant and not as they are encoded.
func acResource(u *url.URL) string {
	var pairs []string
	query := u.Query()
	for _, k := range slices.Sorted(maps.Keys(query)) {
		for _, v := range query[k] {
			if v != "" {
				v = "=" + v
			}
			pairs = append(pairs, k+v)
		}
	}
	if len(pairs) == 0 {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + strings.Join(pairs, "&")
}

// acHeaders are the names of a request's own protocol headers, in lower case
// and in order.
func acHeaders(r *http.Request) []string {
	var out []string
	for h := range r.Header {
		if h = strings.ToLower(h); strings.HasPrefix(h, "x-acs-") {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out
}

// authenticateV3 is HMAC-SHA256 over the hash of the canonical request. All
// x-acs headers and the host must be signed, as the page demands.
func (a *alibaba) authenticateV3(r *http.Request, body []byte, auth string) (AlibabaAccount, error) {
	field := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(auth, "ACS3-HMAC-SHA256 "), ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		field[k] = v
	}
	signed := strings.Split(field["SignedHeaders"], ";")
	must := append(acHeaders(r), "host")
	if field["Credential"] == "" || field["Signature"] == "" || !slices.IsSorted(signed) ||
		slices.ContainsFunc(must, func(h string) bool { return !slices.Contains(signed, h) }) {
		return AlibabaAccount{}, acGate("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	stamp := r.Header.Get("X-Acs-Date")
	if stamp == "" || r.Header.Get("X-Acs-Signature-Nonce") == "" {
		return AlibabaAccount{}, acGate(acMissing, "x-acs-date and x-acs-signature-nonce are mandatory for this action.")
	}
	at, err := time.Parse(acStamp, stamp)
	if err != nil {
		return AlibabaAccount{}, acGate("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if r.Header.Get("X-Acs-Content-Sha256") != hexSHA256(body) {
		return AlibabaAccount{}, acBadSignature("x-acs-content-sha256")
	}
	var text strings.Builder
	text.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n" + acCanonical(r.URL.Query()) + "\n")
	for _, h := range signed {
		v := r.Header.Get(h)
		if h == "host" {
			v = r.Host
		}
		text.WriteString(h + ":" + strings.TrimSpace(v) + "\n")
	}
	text.WriteString("\n" + field["SignedHeaders"] + "\n" + hexSHA256(body))
	return a.owner(acProof{
		id: field["Credential"], at: at, nonce: r.Header.Get("X-Acs-Signature-Nonce"), token: r.Header.Get("X-Acs-Security-Token"),
		text: "ACS3-HMAC-SHA256\n" + hexSHA256([]byte(text.String())), signature: field["Signature"],
		sign: func(secret, text string) string {
			m := hmac.New(sha256.New, []byte(secret))
			m.Write([]byte(text))
			return hex.EncodeToString(m.Sum(nil))
		},
	})
}

// acParams are the parameters of a call of the RPC style, which travel in the
// query or in a form.
func acParams(r *http.Request, body []byte) url.Values {
	params := r.URL.Query()
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		form, _ := url.ParseQuery(string(body)) // what can't be read is missing
		maps.Copy(params, form)
	}
	return params
}

// authenticateRPC is HMAC-SHA1 over all parameters.
func (a *alibaba) authenticateRPC(r *http.Request, body []byte) (AlibabaAccount, error) {
	params := acParams(r, body)
	signature := params.Get("Signature")
	params.Del("Signature")
	for _, name := range []string{"AccessKeyId", "SignatureNonce", "Timestamp"} {
		if params.Get(name) == "" {
			return AlibabaAccount{}, acGate("Missing"+name, "%s is mandatory for this action.", name)
		}
	}
	switch {
	case params.Get("SignatureMethod") != "HMAC-SHA1" || params.Get("SignatureVersion") != "1.0":
		return AlibabaAccount{}, acGate("InvalidSignatureMethod", "Specified signature method is not valid.")
	case !strings.EqualFold(params.Get("Format"), "json"):
		// XML is the documented default; it isn't served here.
		return AlibabaAccount{}, acGate(acBadFormat, "Specified parameter format is not valid.")
	}
	at, err := time.Parse(acStamp, params.Get("Timestamp"))
	if err != nil {
		return AlibabaAccount{}, acGate("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	return a.owner(acProof{
		id: params.Get("AccessKeyId"), at: at, nonce: params.Get("SignatureNonce"), token: params.Get("SecurityToken"),
		text: r.Method + "&%2F&" + acEscape(acCanonical(params)), signature: signature,
		sign: func(secret, text string) string { return macSHA1(secret+"&", text) },
	})
}

// acCanonical is a query sorted by name, with names and values percent-encoded.
func acCanonical(query url.Values) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(query)) {
		for _, v := range query[k] {
			pairs = append(pairs, acEscape(k)+"="+acEscape(v))
		}
	}
	return strings.Join(pairs, "&")
}

// acEscape leaves only letters, digits and -_.~ as they are.
func acEscape(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}

// acProof is what a request brings to show whose it is.
type acProof struct {
	id, nonce, token string
	at               time.Time
	text, signature  string
	sign             func(secret, text string) string
}

// owner checks a proof: the time, the key, the signature, the session token and
// that the nonce is new. The nonce comes last, so that only a request that holds
// uses one up.
func (a *alibaba) owner(p acProof) (AlibabaAccount, error) {
	var none AlibabaAccount
	now := a.sim.now()
	if p.at.Sub(now).Abs() > acSkew {
		return none, acGate("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	i := slices.IndexFunc(a.world.Accounts, func(acc AlibabaAccount) bool { return acc.KeyID == p.id })
	if i < 0 {
		return none, acGate("InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	}
	account := a.world.Accounts[i]
	if !hmac.Equal([]byte(p.sign(account.KeySecret, p.text)), []byte(p.signature)) {
		return none, acBadSignature(p.text)
	}
	switch {
	case p.token == "" && account.Token != "":
		return none, acGate("MissingSecurityToken", "SecurityToken is mandatory for this action.")
	case p.token != account.Token:
		return none, acGate("InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	}
	if p.nonce != "" && !a.fresh(p.id+"/"+p.nonce, now) {
		return none, acGate("SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return account, nil
}

// fresh notes a nonce and says whether it is new. After twice the skew a date
// that went with one can't be valid any more, so it is forgotten.
func (a *alibaba) fresh(nonce string, now time.Time) bool {
	if now.Sub(a.swept) > time.Minute { // sweeping at every call would cost more than all the rest
		a.swept = now
		maps.DeleteFunc(a.nonces, func(_ string, used time.Time) bool { return now.Sub(used) > 2*acSkew })
	}
	if _, used := a.nonces[nonce]; used {
		return false
	}
	a.nonces[nonce] = now
	return true
}

func acBadSignature(text string) error {
	return acGate(acNoMatch, "Specified signature is not matched with our calculation. server string to sign is:%s", text)
}

func macSHA1(key, text string) string {
	m := hmac.New(sha1.New, []byte(key))
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
