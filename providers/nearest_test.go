package providers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func TestNearest(t *testing.T) {
	words := []string{"zone", "subnet_id", "yarn_node_label", "yarn_node_labels", ""}
	for word, want := range map[string]string{
		"zoen": "zone", "ZONE": "zone", "zon": "zone", "subnet": "", "subnetid": "subnet_id",
		"yarn_node_lable": "yarn_node_label", "completely": "", "": "", "zx": "",
	} {
		require.Equal(t, want, providers.Nearest(word, words), word)
	}
	require.Equal(t, "aa", providers.Nearest("ab", []string{"ac", "aa"}), "of two that are as near the first in order, whatever the list's")
	// Letters, not bytes: one wrong one in four is near, three in four are not.
	require.Equal(t, "数据平台", providers.Nearest("数据平合", []string{"数据平台"}))
	require.Empty(t, providers.Nearest("数据平台", []string{"业务系台"}))
	require.Empty(t, providers.Nearest("组", []string{"群组长"}))
	long := strings.Repeat("长", 64)
	require.Equal(t, long, providers.Nearest(strings.Repeat("长", 63), []string{long}))
	require.Empty(t, providers.Nearest(long+"长", []string{long}), "no typing error can be told from another word")
}
