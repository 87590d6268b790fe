package cloudsim

import (
	"crypto/hmac"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	hwAlgorithm = "SDK-HMAC-SHA256"
	// hwSkew is how far X-Sdk-Date may be from the cloud's clock ("API Request
	// Signing Guide", IAM authentication errors).
	hwSkew = 15 * time.Minute
	// hwMaxStrikes failures of one key in a row lock it for hwLocked, right or
	// wrong (same page). A bot that repeats a refused call locks itself out.
	hwMaxStrikes = 5
	hwLocked     = 5 * time.Minute
)

// hwStrikes counts the failures of one access key.
type hwStrikes struct {
	count  int
	locked time.Time // until then
}

// authenticate verifies the SDK-HMAC-SHA256 signature of a request ("API Request
// Signing Guide", signing algorithm) and says whose it is.
func (h *huawei) authenticate(r *http.Request, body []byte, at time.Time) (HuaweiAccount, error) {
	var none HuaweiAccount
	if r.Header.Get("Authorization") == "" {
		return none, hwRefuse(hwBadKeys, "x-auth-token not found")
	}
	ak, signed, signature, ok := hwAuthorization(r.Header.Get("Authorization"))
	if !ok {
		return none, hwRefuse(hwBadKeys, "the Authorization header is not valid")
	}
	i := slices.IndexFunc(h.world.Accounts, func(a HuaweiAccount) bool { return a.AK == ak })
	if i < 0 {
		return none, hwRefuse(hwBadKeys, "Get secretKey failed,ak:%s,err:ak not exist", ak)
	}
	account, strikes := h.world.Accounts[i], h.strikes[ak]
	if at.Before(strikes.locked) {
		return none, hwRefuse(hwBadKeys, "AK access failed to reach the limit,forbidden")
	}
	if reason := h.mistrust(r, body, account, signed, signature); reason != "" {
		if strikes.count++; strikes.count > hwMaxStrikes {
			strikes = hwStrikes{locked: at.Add(hwLocked)}
		}
		h.strikes[ak] = strikes
		return none, hwRefuse(hwBadKeys, "%s", reason)
	}
	delete(h.strikes, ak)
	return account, nil
}

// mistrust says what is wrong with a signature, or nothing.
func (h *huawei) mistrust(r *http.Request, body []byte, account HuaweiAccount, signed []string, signature string) string {
	stamp := r.Header.Get("X-Sdk-Date")
	made, err := time.Parse("20060102T150405Z", stamp)
	if err != nil {
		return "verify aksk signature fail, X-Sdk-Date is missing or not valid"
	}
	if now := h.sim.now().UTC(); made.Sub(now).Abs() > hwSkew {
		return "calc ak sk signature fail:signature expired, signature time:" + stamp + ",server time:" + now.Format("20060102T150405Z")
	}
	if !slices.Contains(signed, "x-sdk-date") || !slices.IsSorted(signed) {
		return "verify aksk signature fail, SignedHeaders must be sorted and hold x-sdk-date"
	}
	payload, ok := hwPayload(r, body)
	if !ok {
		return "verify aksk signature fail, X-Sdk-Content-Sha256 is not the body's"
	}
	canonical := strings.Join([]string{
		r.Method, hwCanonicalURI(r.URL), hwCanonicalQuery(r.URL), hwCanonicalHeaders(r, signed), strings.Join(signed, ";"), payload,
	}, "\n")
	text := hwAlgorithm + "\n" + stamp + "\n" + hexSHA256([]byte(canonical))
	if !hmac.Equal([]byte(hex.EncodeToString(mac([]byte(account.SK), text))), []byte(signature)) {
		return "verify aksk signature fail, canonicalRequest:" + strings.ReplaceAll(canonical, "\n", "|")
	}
	if r.Header.Get("X-Security-Token") != account.SecurityToken {
		return "decrypt token fail"
	}
	return ""
}

// hwAuthorization takes the header apart.
func hwAuthorization(header string) (ak string, signed []string, signature string, ok bool) {
	rest, ok := strings.CutPrefix(header, hwAlgorithm+" ")
	if !ok {
		return "", nil, "", false
	}
	for field := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch k {
		case "Access":
			ak = v
		case "SignedHeaders":
			signed = strings.Split(v, ";")
		case "Signature":
			signature = v
		}
	}
	return ak, signed, signature, ak != "" && len(signed) > 0 && signature != ""
}

// hwPayload is the last line of what is signed: the body's hash, or what
// X-Sdk-Content-Sha256 puts in its place. Nobody on the way can put it there: the
// line is part of what is signed.
func hwPayload(r *http.Request, body []byte) (string, bool) {
	own := hexSHA256(body)
	switch given := r.Header.Get("X-Sdk-Content-Sha256"); given {
	case "", own:
		return own, true
	default:
		return given, given == "UNSIGNED-PAYLOAD"
	}
}

// hwCanonicalURI is the path, each part encoded again, with a slash at its end.
func hwCanonicalURI(u *url.URL) string {
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		parts[i] = hwEscape(p)
	}
	return strings.TrimSuffix(strings.Join(parts, "/"), "/") + "/"
}

// hwCanonicalQuery is the query sorted by name, then by value.
func hwCanonicalQuery(u *url.URL) string {
	var pairs [][2]string
	for name, values := range u.Query() {
		for _, v := range values {
			pairs = append(pairs, [2]string{name, v})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	out := make([]string, 0, len(pairs))
	for _, p := range pairs {
		out = append(out, hwEscape(p[0])+"="+hwEscape(p[1]))
	}
	return strings.Join(out, "&")
}

func hwCanonicalHeaders(r *http.Request, signed []string) string {
	var out strings.Builder
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		out.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	return out.String()
}

// hwEscape encodes all but the unreserved characters of RFC 3986.
func hwEscape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
