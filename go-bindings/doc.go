// Package ironhoard hands the hot path of a Go program to an engine process through shared memory: a request
// is written into a ring, the engine reads it in place on a core of its own, and the reply comes back through
// a second ring. While both sides are awake there is no system call, no lock that anybody waits for, no
// allocation and no copy into the kernel; a round trip costs what moving two cache lines between two cores
// costs. Pure Go, standard library only, no cgo.
//
//	client, err := ironhoard.Dial(ctx, "/run/echo.sock")
//	…
//	reply, err := client.Call(ctx, kind, request, nil)
//
// # Concepts
//
// A host is this process, an engine the process that answers. A lane is a request ring and a reply ring;
// every request gets exactly one reply, in the order of its lane. A request's kind and bytes are the
// handler's affair; a reply's status is 0 for success, and a [*RemoteError] otherwise.
//
// A [Client] is one lane that all its calls share, and a pool of further lanes. [Client.Call] is the simple
// way, for any number of goroutines. A [Producer] is a lane of its own for one goroutine: it can keep many
// requests under way, makes groups of them visible in one step ([Producer.ClaimGroup] is the fastest way),
// and has the fastest round trip.
//
// What concerns every host an engine publishes once, as an event, and each host reads it for itself: ask for
// event rings with [WithEventRings], take one with [Client.Events]. Nobody waits for a reader; one that is
// too slow learns exactly which events it has lost ([*OverrunError]) and goes on. Who reads events and sends
// nothing dials with [WithEventsOnly].
//
// # Goroutines
//
// A Client may be used by any number of goroutines at the same time, a Producer or an Events by one at a
// time. The package starts one goroutine for each Client; it sleeps on the runtime's poller until the engine
// rings, speaks or dies, and ends with Close. Nothing locks an OS thread.
//
// Who waits for a reply first looks at the ring itself, for as long as replies usually take and no longer
// than [WithSpin] says; then it lets other goroutines run between looks; then it sleeps on a channel. A
// context is honoured from the second step on: a call that polls for microseconds does not look at it.
//
// # Memory
//
// Call copies the request before it returns and appends the reply to a slice of yours. Everything else that
// is lent lies in the ring: the slices of a [Client.CallFunc] callback end with the callback, the slice of
// [Producer.Claim] with its commit or abort, the payload of a [Reply] with the next Poll, Wait, Call or
// Close. A slice that is kept longer shows other requests' bytes, or is no memory any more.
//
// Replies are mapped read-only: a write to one ends the process. The engine can still change a reply while it
// is read: copy what must not change between a check and its use.
//
// # When engines end
//
// Calls under way take longer; they do not fail. The client finds out how far the dead engine had come,
// keeps its replies, and goes on with the next engine at the same path, for as long as [WithPatience] says.
// An engine whose handler has state refuses that; then calls end with [ErrEngineGone], and those that were
// committed with an [*UncertainError] around it: they may have been executed. A request that was committed
// when its engine died may be executed twice. A stopped engine is slow, not dead: nothing times out by
// itself.
//
// # Caveats
//
//   - A call that its context ends may have been executed. Make requests idempotent, or give them an
//     identity of your own.
//   - A Producer whose replies nobody takes stops: the engine passes its lane over.
//   - Keep Go's processors off the engine's core ([runtime.GOMAXPROCS], taskset, a cpuset): two spinning
//     threads on one core wait for each other's time slices.
//   - The collector stops a goroutine like any other: between claim and commit that delays its own lane, in
//     the middle of a Call those that share it. GOGC=off with GOMEMLIMIT, or less garbage, makes tails
//     shorter.
//   - Payloads are at most an eighth of their ring: 128 KiB unless [WithCapacity] says more. Rings below
//     256 KiB stream 5–20 times slower.
//   - CallFunc's callbacks hold the shared lane: a slow one holds up every other call of the Client. A call
//     from inside is [ErrNested]; waiting inside for another goroutine's call never ends.
//   - Close waits for callbacks that run, and for nothing else. A Producer that is not closed keeps its
//     memory mapped: nothing is ever unmapped under somebody who may still touch it.
//   - Regions are not inherited: a process that is forked without exec must not use them.
//   - The race detector does not see shared memory. Between goroutines of one process (package enginetest)
//     the hand-over through a ring is shown to it by other means.
//
// Linux on amd64 and arm64; elsewhere the package compiles and [Dial] answers [errors.ErrUnsupported]. Tests
// of your own need no engine process: package enginetest is one in Go.
package ironhoard
