package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Engine is an engine that runs in this process. All methods may be called by any goroutine.
//
//	New, Listen ──▶ alive ──┬── Halt ──▶ gone ── Restart ──▶ alive
//	                        ├── Kill ──▶ gone ── Restart ──▶ alive
//	                        └── Close, for good
type Engine struct {
	path      string
	directory string // made by New; empty otherwise
	handler   Handler
	settings  settings
	counts    counts

	mu     sync.Mutex
	life   *life // nil while the engine is gone
	frozen bool
	gone   sync.WaitGroup // lives that are over and have goroutines left
}

// Counts are what an engine has seen since it was made, over all of its lives.
type Counts struct {
	Requests    uint64 // answered
	Attached    uint64 // hosts that came
	Resumed     uint64 // hosts that came back after a death
	Refused     uint64 // conversations that ended with a reason
	Panics      uint64 // requests that the handler did not survive
	Poisoned    uint64 // requests that were not tried again
	Skipped     uint64 // visits to a lane whose replies had no room
	ClosedLanes uint64 // lanes whose host wrote nonsense
	Events      uint64 // published, in all rings
}

type counts struct {
	requests, attached, resumed, refused, panics, poisoned, skipped, closedLanes, events atomic.Uint64
}

// New starts an engine at a path of its own, in a new directory. It panics where that is not possible, as
// httptest.NewServer does: in a test there is nothing else to do. End it with [Engine.Close].
func New(handler Handler, options ...Option) *Engine {
	directory, err := os.MkdirTemp("", "ironhoard-")
	if err != nil {
		panic(fmt.Sprintf("enginetest: no directory for the socket: %v", err))
	}
	engine, err := Listen(filepath.Join(directory, "engine.sock"), handler, options...)
	if err != nil {
		os.RemoveAll(directory)
		panic(fmt.Sprintf("enginetest: %v", err))
	}
	engine.directory = directory
	return engine
}

// Listen starts an engine at path, a socket's, of at most 107 bytes, in a directory that exists. The
// error says why another cannot live there: another engine does, the directory is not writable.
func Listen(path string, handler Handler, options ...Option) (*Engine, error) {
	if handler == nil {
		panic("enginetest: a handler is needed; Echo is one")
	}
	engine := &Engine{path: path, handler: handler, settings: settingsOf(options)}
	if err := engine.Restart(); err != nil {
		return nil, err
	}
	return engine, nil
}

// Path is the socket's, for ironhoard.Dial. It stays the same over all lives.
func (e *Engine) Path() string { return e.path }

// Restart begins a new life at the same path, after [Engine.Kill] or [Engine.Halt]; it does nothing while
// the engine is alive. Hosts resume by themselves, unless the handler has state ([WithState]).
func (e *Engine) Restart() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life != nil {
		return nil
	}
	life, err := begin(e.path, e.handler, e.settings, &e.counts)
	if err != nil {
		return err
	}
	e.life = life
	return nil
}

// Kill ends this life as kill -9 ends a process: in the middle of a request if there is one, without a
// word, what was committed stays unanswered, and the socket's file stays. The handler's call under way
// goes on to its end (Go cannot stop it); its reply goes nowhere.
func (e *Engine) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if life := e.end(); life != nil {
		life.die()
		e.gone.Add(1)
		go func() {
			defer e.gone.Done()
			life.bury()
		}()
	}
}

// Halt ends this life in good order: hosts are told, what they have committed is answered (for a second at
// most), and the path is free when Halt returns.
func (e *Engine) Halt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if life := e.end(); life != nil {
		life.openGates()
		life.halt()
	}
}

// end takes the present life, its gates closed; nil if there is none.
func (e *Engine) end() *life {
	life := e.life
	if life != nil && !e.frozen {
		life.closeGates()
	}
	e.life, e.frozen = nil, false
	return life
}

// Freeze keeps the engine from answering until [Engine.Thaw], as a stopped process (SIGSTOP) would: it is
// slow, not dead. Requests stay where they are and rings fill up; new hosts are attached all the same.
func (e *Engine) Freeze() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life != nil && !e.frozen {
		e.life.closeGates()
		e.frozen = true
	}
}

// Thaw ends [Engine.Freeze].
func (e *Engine) Thaw() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life != nil && e.frozen {
		e.life.openGates()
		e.frozen = false
	}
}

// Close halts the engine, waits until nothing of it runs any more (a handler that never returns keeps it),
// and removes the directory that [New] made. A second Close does nothing.
func (e *Engine) Close() {
	e.Halt()
	e.gone.Wait()
	if e.directory != "" {
		os.RemoveAll(e.directory)
	}
}

// Counts are the engine's counters; the gauges of a life that is gone stay counted.
func (e *Engine) Counts() Counts {
	c := &e.counts
	return Counts{
		Requests: c.requests.Load(), Attached: c.attached.Load(), Resumed: c.resumed.Load(),
		Refused: c.refused.Load(), Panics: c.panics.Load(), Poisoned: c.poisoned.Load(),
		Skipped: c.skipped.Load(), ClosedLanes: c.closedLanes.Load(), Events: c.events.Load(),
	}
}

// Hosts is how many hosts are attached now, conversations under way included.
func (e *Engine) Hosts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life == nil {
		return 0
	}
	return e.life.hostCount()
}
