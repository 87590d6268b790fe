package card

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// constants reads the values of a string type's constants from the source of
// its package, so that a code which is added without a sentence fails here.
func constants(t *testing.T, dir, typ string) []string {
	t.Helper()
	pkgs, err := parser.ParseDir(token.NewFileSet(), dir, nil, 0) //nolint:staticcheck // one package per directory is all that is read
	require.NoError(t, err)
	var values []string
	for _, pkg := range pkgs {
		ast.Inspect(pkg, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typ {
				return true
			}
			for _, v := range spec.Values {
				lit, ok := v.(*ast.BasicLit)
				require.True(t, ok, "a constant of %s is no literal", typ)
				s, err := strconv.Unquote(lit.Value)
				require.NoError(t, err)
				values = append(values, s)
			}
			return true
		})
	}
	require.NotEmpty(t, values, typ)
	slices.Sort(values)
	return slices.Compact(values)
}

func keys[K ~string](m map[K]sentence) map[string]sentence {
	out := make(map[string]sentence, len(m))
	for k, s := range m {
		out[string(k)] = s
	}
	return out
}

func TestEveryCodeHasASentenceInBothLanguages(t *testing.T) {
	for _, c := range []struct {
		dir, typ string
		have     map[string]sentence
	}{
		{"../flow", "NoteCode", keys(notes)},
		{"../flow", "RejectCode", keys(rejections)},
		{"../flow", "State", keys(states)},
		{"../flow", "RenewalChoice", keys(renewalChoices)},
		{"../../approvals", "Reason", keys(reasons)},
		{"../../approvals", "DifferenceKind", keys(differences)},
		{"../../approvals", "RefusalCode", keys(refusals)},
		{"../../providers", "StageState", keys(stageStates)},
		{"../../providers", "Phase", keys(phases)},
		{"../../providers", "Charge", keys(charges)},
	} {
		t.Run(c.typ, func(t *testing.T) {
			codes := constants(t, c.dir, c.typ)
			require.ElementsMatch(t, codes, sortedKeys(c.have), "the codes and the catalogue")
			for code, s := range c.have {
				sound(t, code, s)
			}
		})
	}
}

func TestEveryOtherEntryIsSoundInBothLanguages(t *testing.T) {
	for code, s := range keys(nexts) {
		sound(t, code, s)
	}
	for _, m := range []map[string]sentence{resolutions, changed, reconfigured} {
		for code, s := range m {
			sound(t, code, s)
		}
	}
	// Every field that approvals can report as moved has a name.
	for name := range fieldsOfChange(t) {
		_, named := changed[name]
		_, told := reconfigured[name]
		require.True(t, named || told || identity[name], "the field %q of a change", name)
	}
	for _, k := range []flow.SignalKind{flow.SignalHappened, flow.SignalRetry, flow.SignalClose} {
		require.Contains(t, resolutions, string(k))
	}
	file, err := parser.ParseFile(token.NewFileSet(), "words.go", nil, 0)
	require.NoError(t, err)
	seen := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		lit := spec.Values[0].(*ast.CompositeLit)
		forms := make([]string, 2)
		for i, e := range lit.Elts {
			forms[i], err = strconv.Unquote(e.(*ast.BasicLit).Value)
			require.NoError(t, err)
		}
		seen++
		switch name := spec.Names[0].Name; name {
		case "wGap", "wComma", "wClause", "wAnd", "wColon", "wHome": // punctuation and the name
		default:
			sound(t, name, sentence{forms[0], forms[1]})
		}
		return true
	})
	require.Greater(t, seen, 100)
}

// identity are fields that can't differ between two plans of one flow: they are
// the words of config that the flow was asked for with.
var identity = map[string]bool{"kind": true, "cluster": true, "group": true}

func fieldsOfChange(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for f := range reflect.TypeFor[providers.Change]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = true
	}
	require.NotEmpty(t, out)
	return out
}

var slot = regexp.MustCompile(`\{([a-z_]+)(\|[^{}]*)?\}`)

// placeholders are the arguments of a form, each once. Plural words are a form
// of English alone.
func placeholders(form string) []string {
	var out []string
	for _, m := range slot.FindAllStringSubmatch(form, -1) {
		if m[2] == "" {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sound(t *testing.T, code string, s sentence) {
	t.Helper()
	require.NotEmpty(t, strings.TrimSpace(s.en), code)
	require.NotEmpty(t, strings.TrimSpace(s.zh), code)
	require.Equal(t, placeholders(s.en), placeholders(s.zh), "%s: the forms name other arguments", code)
	for _, form := range []string{s.en, s.zh} {
		require.Equal(t, strings.Count(form, "["), strings.Count(form, "]"), "%s: brackets", code)
		require.NotContains(t, slot.ReplaceAllString(form, ""), "{", "%s: a slot that can't be read", code)
		require.NotContains(t, form, "  ", code)
	}
	require.NotContains(t, strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Han, r) {
			return '汉'
		}
		return r
	}, s.en), "汉", "%s: Chinese in the English form", code)
}

// The engine and the desk give these arguments; the sentences use no other. The
// table is read from the comments beside the codes.
func TestSentencesUseOnlyTheArgumentsOfTheirCode(t *testing.T) {
	for _, c := range []struct {
		file, typ string
		have      map[string]sentence
	}{
		{"../flow/flow.go", "NoteCode", keys(notes)},
		{"../flow/desk.go", "RejectCode", keys(rejections)},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), c.file, nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != c.typ {
				return true
			}
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			words := strings.FieldsFunc(strings.ToLower(spec.Comment.Text()), func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
			for _, name := range placeholders(c.have[code].en) {
				if name == "have" && strings.Contains(spec.Comment.Text(), "refused:") {
					continue // carried by all that refuse an amount, says the comment above them
				}
				if name == "text" && code == string(flow.NoteStage) {
					continue // the stage's reason, given where there is one
				}
				require.Contains(t, words, name, "%s: the comment names no such argument", code)
			}
			return true
		})
	}
}

func TestFill(t *testing.T) {
	s := sentence{"{n} {n|node|nodes}[ of {cluster}] left[: {nodes}]", "{n} 个节点[（{cluster}）]已移除[：{nodes}]"}
	for _, c := range []struct {
		lang string
		a    args
		want string
	}{
		{English, args{"n": number(1)}, "1 node left"},
		{English, args{"n": number(2), "nodes": say("a, b")}, "2 nodes left: a, b"},
		{English, args{"n": number(0), "cluster": say("web")}, "0 nodes of web left"},
		{English, nil, "? nodes left"},
		{Chinese, args{"n": number(1), "cluster": say("web")}, "1 个节点（web）已移除"},
	} {
		require.Equal(t, c.want, s.fill(c.lang, c.a).plain())
	}
	// An argument's own braces and brackets are words, not slots.
	require.Equal(t, "{n}]x[ nodes left", s.fill(English, args{"n": say("{n}]x[")}).plain())
}

func TestANoteOfANewerVersionIsShownNotHidden(t *testing.T) {
	n := flow.Note{Code: "levitated", Text: providers.Text{EN: "The cluster flew."}}
	require.Equal(t, "levitated The cluster flew.", note(English, n, nil).plain())
}

func TestMoney(t *testing.T) {
	for _, c := range []struct{ amount, currency, want string }{
		{"8412", "CNY", "¥ 8,412.00"},
		{"3.356", "CNY", "¥ 3.36"},
		{"0", "USD", "$ 0.00"},
		{"999.999", "USD", "$ 1,000.00"},
		{"1234567.8", "EUR", "EUR 1,234,567.80"},
		{"-1234.5", "CNY", "¥ -1,234.50"},
		{"12", "", "12.00"},
	} {
		require.Equal(t, c.want, money(yuan(c.amount), c.currency))
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		d      time.Duration
		en, zh string
	}{
		{0, "0 s", "0 秒"},
		{999 * time.Millisecond, "0 s", "0 秒"},
		{59 * time.Second, "59 s", "59 秒"},
		{6*time.Minute + 12*time.Second, "6 min 12 s", "6 分钟 12 秒"},
		{time.Hour, "1 h", "1 小时"},
		{time.Hour + 30*time.Second, "1 h", "1 小时"},
		{50 * time.Hour, "2 d 2 h", "2 天 2 小时"},
	} {
		require.Equal(t, c.en, duration(c.d, English))
		require.Equal(t, c.zh, duration(c.d, Chinese))
	}
}

func TestLanguage(t *testing.T) {
	for in, want := range map[string]string{"": "en", "en-GB": "en", "zh": "zh", "zh-CN": "zh", "ZH_hans": "zh", "fr": "en"} {
		require.Equal(t, want, language(in), in)
	}
}

func TestEveryReasonNamesWhyAVoteDoesNotCount(t *testing.T) {
	votes := make([]approvals.Uncounted, 0, len(reasons))
	for _, r := range sortedKeys(keys(reasons)) {
		votes = append(votes, approvals.Uncounted{User: "U1", Emoji: "+1", Reason: approvals.Reason(r)})
	}
	for i, l := range uncounted(English, votes) {
		require.Equal(t, ":+1: @U1 — "+reasons[votes[i].Reason].en, l.plain())
	}
}
