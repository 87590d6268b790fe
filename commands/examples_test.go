package commands

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what Parse answers into testdata/examples; read the difference before committing it")

const rule = "\n----\n"

func vocabulary() Vocabulary {
	return Vocabulary{Clusters: map[string][]string{
		"emr-m620":  {"core", "task", "router"},
		"web":       {"legacy", "workers"},
		"web-edge":  {"edge"},
		"Analytics": {"core", "task"},
		"数据平台":      {"计算", "task"},
	}, Centres: []string{"ads", "data"}}
}

// Each file of testdata/examples is one command as Slack delivers it, a rule,
// and what Parse makes of it.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/examples/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			typed, want, _ := strings.Cut(string(content), rule)
			got := explain(typed)
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(typed+rule+got), 0o600))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func explain(typed string) string {
	cmd, err := Parse(typed, vocabulary())
	var b strings.Builder
	var wrong *UsageError
	if errors.As(err, &wrong) {
		fmt.Fprintf(&b, "%s\n%s\n%s\n", wrong.Code, wrong.In("en"), wrong.In("zh"))
		if wrong.Fixed != "" {
			fmt.Fprintf(&b, "fixed: %s\n", wrong.Fixed)
		}
		for _, also := range wrong.Also {
			fmt.Fprintf(&b, "also:  %s\n", also)
		}
		return b.String()
	}
	cmd.Raw = ""
	fields, err := json.MarshalIndent(bare(cmd), "", "  ")
	if err != nil {
		return err.Error()
	}
	return cmd.String() + "\n" + string(fields) + "\n"
}

// bare is a command as JSON without its zero fields.
func bare(v any) any {
	var tree any
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &tree); err != nil {
		return err
	}
	return withoutZero(tree)
}

func withoutZero(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for k, v := range m {
		if v == nil || k != "Renew" && k != "Start" && k != "Bootstrap" && k != "Offset" && isZero(v) {
			delete(m, k)
			continue
		}
		m[k] = withoutZero(v)
	}
	return m
}

func isZero(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case float64:
		return v == 0
	case bool:
		return !v
	}
	return false
}
