//go:build linux && (amd64 || arm64)

// Package conformance is what every engine must do, whoever wrote it: one suite of tests that runs against
// the engine in Go and, in real processes, against the engine in Rust.
//
// An engine under test gives these answers (examples/conformance_engine.rs does, and [InProcess] here):
//
//	kind  payload      answer
//	1     any          the same payload
//	2     code u16, …  the rest of the payload, with that code as its status
//	3     any          none: the handler panics
//	4     any          none: the handler asks for more than a reply can carry
//	5     any          empty
//	6     count u32    that many bytes, the i-th being (request's number + i) mod 256
//	7     count u32    empty, after so many microseconds
//	8     any          none: the engine dies in the middle of the request
//	9     any          the sum of all bytes, u64
//	10    count u32,   the number of the last of so many events of so many bytes, u64, published in
//	      size u32     ring 0; the i-th byte of event n is (n + i) mod 256, its kind n mod 65536
package conformance

import "testing"

// The kinds of requests.
const (
	KindEcho uint16 = iota + 1
	KindCode
	KindPanic
	KindTooLarge
	KindEmpty
	KindPattern
	KindSlow
	KindDie
	KindSum
	KindPublish
)

// Engine is an engine under test. Nothing of it fails but through its test.
type Engine interface {
	// Path is the socket's.
	Path() string
	// Kill ends it as kill -9 does.
	Kill()
	// Halt ends it in good order, and returns when it is gone.
	Halt()
	// Restart begins another at the same path.
	Restart()
	// Freeze stops it (SIGSTOP), Thaw lets it go on.
	Freeze()
	Thaw()
	// Descriptors is how many descriptors it holds, to find those that leak; negative where nobody knows.
	Descriptors() int
}

// Start starts an engine for the time of a test. Settings are `name=value` as conformance_engine.rs names
// them.
type Start func(t *testing.T, settings ...string) Engine

// Run holds the engine that start starts to docs/LAYOUT.md.
func Run(t *testing.T, start Start) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, start) })
	}
}

// tests are all tests of the suite.
var tests = merged(talkTests, recordTests, wakeTests, deathTests, resumeTests, eventTests)

func merged(groups ...map[string]func(*testing.T, Start)) map[string]func(*testing.T, Start) {
	all := map[string]func(*testing.T, Start){}
	for _, group := range groups {
		for name, test := range group {
			all[name] = test
		}
	}
	return all
}
