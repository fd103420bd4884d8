package main

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// moreGarbage is GOGC under a memory limit: the heap may grow to five times what lives before it is looked through. What
// answers are made of lives for milliseconds, and the limit keeps this from costing memory that is not there.
const moreGarbage = 400

// collector is how the garbage collector is set. Zero leaves a part as the environment has it.
type collector struct {
	percent int   // GOGC
	limit   int64 // GOMEMLIMIT, in bytes
}

// collectorFor chooses. GOGC and GOMEMLIMIT have their meaning for who sets them, empty ones being none, as they are to the
// runtime; else the limit is nine tenths of what the container may have, or half of what the machine has, which others need
// too. Without a limit nothing is set.
func collectorFor(lookup func(string) (string, bool), container, machine memlimit.Provider) collector {
	percent, _ := lookup("GOGC")
	limit, _ := lookup("GOMEMLIMIT")
	switch {
	case percent != "" || limit == "off":
		return collector{}
	case limit != "":
		return collector{percent: moreGarbage}
	}
	total, totalErr := machine()
	if bytes, err := container(); err == nil && bytes > 0 && (totalErr != nil || bytes <= total) { // no bound of the container reads as a huge number
		return collector{moreGarbage, int64(bytes / 10 * 9)}
	}
	if totalErr == nil && total > 0 {
		return collector{moreGarbage, int64(total / 2)}
	}
	return collector{}
}

// setCollector is for main alone: the collector is one for the process.
func setCollector() {
	c := collectorFor(os.LookupEnv, memlimit.FromCgroup, memlimit.FromSystem)
	if c.percent != 0 {
		debug.SetGCPercent(c.percent)
	}
	if c.limit != 0 {
		debug.SetMemoryLimit(c.limit)
	}
}
