// Package enginetest is an engine in Go, in the process that uses it: what net/http/httptest is to a web
// server. A program's own tests then need no engine binary.
//
//	engine := enginetest.New(enginetest.Echo)
//	defer engine.Close()
//	client, err := ironhoard.Dial(ctx, engine.Path())
//
// It speaks the same layout and holds the same conversation as the Rust engine, over real sockets and real
// shared memory, and the same conformance tests run against both. Rings fill up, replies come in order,
// panics of the handler become error replies, and an engine can die ([Engine.Kill]) and rise again
// ([Engine.Restart]), so that a test sees what its program does then.
//
// What it is not: fast beyond what Go's scheduler allows, pinned, or a boundary. A shard is one goroutine;
// while it waits it yields to the host's goroutines, so that one processor is enough for both. It takes 4 KiB
// pages, unless a host demands those of the machine's pool. Handlers publish events ([Request.Publish])
// where the engine was made with event rings ([WithEventRings]).
//
// Linux on amd64 and arm64; elsewhere [Listen] answers [errors.ErrUnsupported] and [New] panics.
package enginetest
