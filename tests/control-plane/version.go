package main

import (
	"runtime/debug"
	"strings"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// Kubernetes sets its version by linker flags; without it clients that look at the version
// see v0.0.0. These are the variables that the flags would set.

//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitMajor k8s.io/component-base/version.gitMajor
var gitMajor string

//go:linkname gitMinor k8s.io/component-base/version.gitMinor
var gitMinor string

// init takes the version from go.mod, by way of the build information in the program.
func init() {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, module := range build.Deps {
		if module.Path == "k8s.io/kubernetes" {
			gitVersion = module.Version
			numbers := strings.Split(strings.TrimPrefix(gitVersion, "v"), ".")
			gitMajor, gitMinor = numbers[0], numbers[1]
		}
	}
	// The package copied gitVersion when it was initialised; this renews the copy.
	if err := version.SetDynamicVersion(gitVersion); err != nil {
		panic(err)
	}
}
