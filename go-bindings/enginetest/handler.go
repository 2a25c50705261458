package enginetest

// Status is the kind of a reply: 0 is success, 1 to 0xfeff are the handler's own codes. From 0xff00 on they
// are the engine's.
type Status uint16

// OK is success.
const OK Status = 0

// Request is what a handler gets.
type Request struct {
	// Kind is what the host asks for; its meaning is the handler's.
	Kind uint16
	// Number is the request's ordinal in its lane, from 1; its name for ever.
	Number uint64
	// Lane of the host.
	Lane uint32
	// HostID names the host. It stays the same when the host resumes.
	HostID uint64
	// Payload is a copy that belongs to the handler until it returns.
	Payload []byte

	publish   func(ring int, kind uint16, payload []byte) (uint64, error) // nil where no engine runs
	nextEvent func(ring int) uint64
}

// Handler answers one request: it appends the reply's payload to reply, which is empty and has room for
// the largest reply, and returns that with a status.
//
// With several shards it is called by several goroutines at once, by one for each shard. A panic, or
// [runtime.Goexit] (which t.FailNow calls), becomes the status PANIC for this request, and the engine goes
// on. A handler that waits keeps its shard waiting.
type Handler func(request *Request, reply []byte) ([]byte, Status)

// Echo is a handler that answers each request with its own payload.
func Echo(request *Request, reply []byte) ([]byte, Status) {
	return append(reply, request.Payload...), OK
}
