package main

import (
	"runtime/debug"
	"strings"
)

type versionCommand struct{}

// Run tells the version.
func (c *versionCommand) Run(i *invocation) error {
	i.say("stockbridge %s", version())
	return nil
}

// version is what the build knows: the module's version, the commit, and the compiler.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	words := []string{info.Main.Version}
	if words[0] == "" {
		words[0] = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			words = append(words, s.Value)
		case "vcs.modified":
			if s.Value == "true" {
				words = append(words, "with changes")
			}
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}
