// Package durability holds the suites that prove what an engine promises as a
// whole, through its exported methods alone: that concurrent calls look like
// calls one after the other, that any sequence of calls does what a plain model
// of them says, and that nothing acknowledged is lost or changed by power cuts,
// killed processes, full disks and damaged files. It has no code but tests.
//
// Each suite is seeded. A failure prints the seed; the variable DURABILITY_SEED
// repeats it, as far as scheduling lets it. The build tag soak multiplies what
// each suite does:
//
//	go test -tags soak -timeout 0 -run Linearizable ./engine/internal/durability
//
// A state that a power cut left wrong is named with the failure; with
// DURABILITY_CRASH set to its name, only that one is looked at.
package durability
