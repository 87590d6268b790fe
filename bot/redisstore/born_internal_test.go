package redisstore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhichServersCanWaitForTheDisk(t *testing.T) {
	for version, can := range map[string]bool{
		"7.2.0": true, "7.4.1": true, "8.0": true, "7.0.15": false, "6.2.14": false, "": false, "valkey": false, "10.1": true,
	} {
		require.Equal(t, can, waitsForDisk(version), version)
	}
}
