// Package early takes standard output before any library can write to it.
//
// istio.io/istio/pkg/test/env prints while it is initialised, and obeys a REPO_ROOT that is meant for
// others. This package imports nothing but os, so that Go initialises it first.
package early

import "os"

// Stdout is the process's real standard output; os.Stdout leads nowhere.
var Stdout = os.Stdout

func init() {
	os.Unsetenv("REPO_ROOT")
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = nowhere
	}
}
