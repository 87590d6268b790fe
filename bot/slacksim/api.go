package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one Web API call with its arguments, however they came in.
type call struct {
	method string
	args   map[string]string
	effect bool // the handler changed something
}

func (c *call) arg(name string) string { return c.args[name] }

func (c *call) flag(name string) bool {
	v, err := strconv.ParseBool(c.args[name])
	return err == nil && v
}

// apiError is an ok:false answer.
type apiError struct {
	code     string
	needed   string
	messages []string
	wait     int // seconds; the answer is then HTTP 429
}

func (e *apiError) Error() string { return e.code }

func refuse(code string) error { return &apiError{code: code} }

// endpoint is a Web API method. Handlers run under the server's lock.
type endpoint struct {
	scope  string // of the bot token; "" = none, or checked by the handler
	minute int    // calls a minute: Tier 2 = 20, 3 = 50, 4 = 100; 0 = no number is known
	do     func(s *Server, c *call) (obj, error)
}

const (
	tier2, tier3, tier4 = 20, 50, 100
)

// endpoints are the methods with their scope and tier (Slack, method pages).
var endpoints = map[string]endpoint{
	"api.test":              {do: (*Server).apiTest},
	"auth.test":             {minute: 600, do: (*Server).authTest},
	"apps.connections.open": {scope: "connections:write", minute: tier3, do: (*Server).connectionsOpen},
	"bots.info":             {scope: "users:read", minute: tier3, do: (*Server).botsInfo},
	"chat.delete":           {scope: "chat:write", minute: tier3, do: (*Server).chatDelete},
	"chat.getPermalink":     {do: (*Server).chatGetPermalink},
	"chat.postEphemeral":    {scope: "chat:write", minute: tier4, do: (*Server).chatPostEphemeral},
	"chat.postMessage":      {scope: "chat:write", do: (*Server).chatPostMessage},
	"chat.update":           {scope: "chat:write", minute: tier3, do: (*Server).chatUpdate},
	"conversations.history": {minute: tier3, do: (*Server).conversationsHistory},
	"conversations.info":    {minute: tier3, do: (*Server).conversationsInfo},
	"conversations.list":    {minute: tier2, do: (*Server).conversationsList},
	"conversations.members": {minute: tier4, do: (*Server).conversationsMembers},
	"conversations.open":    {scope: "im:write", minute: tier3, do: (*Server).conversationsOpen},
	"conversations.replies": {minute: tier3, do: (*Server).conversationsReplies},
	"reactions.add":         {scope: "reactions:write", minute: tier3, do: (*Server).reactionsAdd},
	"reactions.get":         {scope: "reactions:read", minute: tier3, do: (*Server).reactionsGet},
	"reactions.remove":      {scope: "reactions:write", minute: tier2, do: (*Server).reactionsRemove},
	"team.info":             {scope: "team:read", minute: tier3, do: (*Server).teamInfo},
	"usergroups.list":       {scope: "usergroups:read", minute: tier2, do: (*Server).usergroupsList},
	"usergroups.users.list": {scope: "usergroups:read", minute: tier2, do: (*Server).usergroupsUsersList},
	"users.info":            {scope: "users:read", minute: tier4, do: (*Server).usersInfo},
	"users.list":            {scope: "users:read", minute: tier2, do: (*Server).usersList},
	"views.open":            {minute: tier4, do: (*Server).viewsOpen},
	"views.publish":         {minute: tier4, do: (*Server).viewsPublish},
	"views.push":            {minute: tier4, do: (*Server).viewsPush},
	"views.update":          {minute: tier4, do: (*Server).viewsUpdate},
}

// maxBody is far above anything Slack accepts (a view is at most 250 kB).
const maxBody = 4 << 20

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := &call{method: strings.TrimPrefix(r.URL.Path, "/api/")}
	token, fromHeader, err := c.read(r)
	s.exchange(w, r, c, func() (int, http.Header, any) {
		if err != nil {
			return http.StatusOK, nil, answerError(err)
		}
		return s.answer(c, token, fromHeader)
	})
}

// exchange answers one call through the faults and puts it on record. do runs
// under the lock.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, c *call, do func() (int, http.Header, any)) {
	s.mu.Lock()
	f := s.takeFault(c.method, c.arg("channel"))
	var (
		kind   FaultKind
		status int
		header http.Header
		body   any
	)
	if f != nil {
		kind = f.Kind
	}
	switch kind {
	case RateLimited:
		status, header, body = tooMany(max(1, f.RetryAfter))
	case Error500:
		status = http.StatusInternalServerError
	case HTML502:
		status, body = http.StatusBadGateway, "<html><head><title>502 Bad Gateway</title></head><body>Server error</body></html>"
	case APIError:
		status, body = http.StatusOK, answerError(refuse(f.Code))
	case Hang, ResetBefore:
	case "", ResetAfter, HangAfter, Slow:
		status, header, body = do()
	}
	s.record(c, kind, status, body)
	s.mu.Unlock()

	switch kind {
	case Hang, HangAfter:
		<-r.Context().Done()
		return
	case ResetBefore, ResetAfter:
		reset(w)
		return
	case Slow:
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	case "", RateLimited, Error500, HTML502, APIError:
	}
	maps.Copy(w.Header(), header)
	if text, ok := body.(string); ok {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body) // the caller may be gone: its loss
	}
}

func (s *Server) record(c *call, kind FaultKind, status int, body any) {
	s.requestSeq++
	if status == http.StatusTooManyRequests && kind != RateLimited {
		s.limited[c.method]++
	}
	q := Request{
		Seq: s.requestSeq, At: s.now(), Mono: s.mono(), Method: c.method, Args: c.args,
		Status: status, Fault: kind, Effect: c.effect,
	}
	if o, ok := body.(obj); ok {
		q.Error, _ = o["error"].(string)
		if raw, err := json.Marshal(o); err == nil {
			q.Answer = raw
		}
	}
	s.requests = keep(append(s.requests, q), s.opt.Keep)
	s.changed(Change{Kind: "request", Channel: c.arg("channel")})
	s.log.Debug("call", "method", c.method, "status", status, "error", q.Error, "fault", string(kind))
}

// answer checks token, limit and scope in Slack's order and runs the method.
func (s *Server) answer(c *call, token string, fromHeader bool) (int, http.Header, any) {
	e, known := endpoints[c.method]
	if !known {
		return http.StatusOK, nil, answerError(refuse("unknown_method"))
	}
	appLevel := c.method == "apps.connections.open"
	scopes := s.app.Scopes
	switch {
	case token == "" || (appLevel && !fromHeader):
		// The app-level token is taken from the Authorization header only.
		return http.StatusOK, nil, answerError(refuse("not_authed"))
	case token == s.app.AppToken:
		if !appLevel && c.method != "api.test" {
			return http.StatusOK, nil, answerError(refuse("not_allowed_token_type"))
		}
		scopes = s.app.AppScopes
	case token == s.app.BotToken:
		if appLevel {
			return http.StatusOK, nil, answerError(refuse("not_allowed_token_type"))
		}
	default:
		return http.StatusOK, nil, answerError(refuse("invalid_auth"))
	}
	header := http.Header{"X-Oauth-Scopes": {strings.Join(scopes, ",")}}
	if wait, ok := s.rates.perMinute(c.method, e.minute, s.now()); !ok {
		return tooMany(wait)
	}
	if e.scope != "" && !has(scopes, e.scope) {
		return http.StatusOK, header, s.lacks(e.scope, scopes)
	}
	out, err := e.do(s, c)
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.wait > 0:
		return tooMany(refused.wait)
	case errors.As(err, &refused) && refused.needed != "":
		return http.StatusOK, header, s.lacks(refused.needed, scopes)
	case err != nil:
		return http.StatusOK, header, answerError(err)
	}
	if out == nil {
		out = obj{}
	}
	out["ok"] = true
	return http.StatusOK, header, out
}

func (s *Server) lacks(needed string, scopes []string) obj {
	return obj{"ok": false, "error": "missing_scope", "needed": needed, "provided": sortedScopes(scopes)}
}

// needScope is the refusal of a handler that finds out late which scope it needs.
func (s *Server) needScope(scope string) error {
	if has(s.app.Scopes, scope) {
		return nil
	}
	return &apiError{code: "missing_scope", needed: scope}
}

func answerError(err error) obj {
	out := obj{"ok": false, "error": "internal_error"}
	if e, ok := errors.AsType[*apiError](err); ok {
		out["error"] = e.code
		if len(e.messages) > 0 {
			out["response_metadata"] = obj{"messages": e.messages}
			out["errors"] = e.messages
		}
	}
	return out
}

func tooMany(wait int) (int, http.Header, any) {
	return http.StatusTooManyRequests, http.Header{"Retry-After": {strconv.Itoa(wait)}},
		obj{"ok": false, "error": "ratelimited"}
}

// reset ends the connection with an RST, as a dying proxy does.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close would be an orderly one
	}
	_ = conn.Close()
}

// read takes the arguments from query, form or JSON body. A token in a JSON
// body doesn't count: Slack wants it in the header then.
func (c *call) read(r *http.Request) (token string, fromHeader bool, err error) {
	c.args = map[string]string{}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return "", false, refuse("request_timeout")
	}
	for k, v := range r.URL.Query() {
		c.args[k] = v[0]
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && len(body) > 0 {
		return "", false, refuse("missing_post_type")
	}
	switch kind {
	case "application/json":
		if len(strings.TrimSpace(string(body))) == 0 {
			break
		}
		if err := c.readJSON(body); err != nil {
			return "", false, err
		}
	case "application/x-www-form-urlencoded", "multipart/form-data":
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if err := r.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return "", false, refuse("invalid_form_data")
		}
		for k, v := range r.PostForm {
			c.args[k] = v[0]
		}
		if r.MultipartForm != nil {
			for k, v := range r.MultipartForm.Value {
				c.args[k] = v[0]
			}
		}
	case "":
	default:
		return "", false, refuse("invalid_post_type")
	}
	token = c.args["token"]
	delete(c.args, "token")
	if h, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token, fromHeader = strings.TrimSpace(h), true
	}
	return token, fromHeader, nil
}

func (c *call) readJSON(body []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return refuse("invalid_json")
	}
	for k, raw := range fields {
		if k == "token" || string(raw) == "null" {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) == nil {
			c.args[k] = text
		} else {
			c.args[k] = string(raw)
		}
	}
	return nil
}

// limit reads a page size.
func (c *call) limit(fallback, most int) (int, error) {
	v := c.arg("limit")
	if v == "" || v == "0" {
		return fallback, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		return 0, refuse("invalid_limit")
	}
	return n, nil
}

// page cuts a list by cursor and limit.
func page[T any](c *call, list []T, limit int) (part []T, next string, err error) {
	from := 0
	if cur := c.arg("cursor"); cur != "" {
		if _, err := fmt.Sscanf(cur, "off:%d", &from); err != nil || from < 0 || from > len(list) {
			return nil, "", refuse("invalid_cursor")
		}
	}
	to := min(len(list), from+limit)
	if to < len(list) {
		next = fmt.Sprintf("off:%d", to)
	}
	return list[from:to], next, nil
}
