//go:build !linux

package attach

import (
	"context"
	"errors"

	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// ErrDead says that the engine is gone.
var ErrDead = errors.New("the engine is gone")

// IsHangUp says whether err is the engine's end of the conversation.
func IsHangUp(error) bool { return false }

// Engine is one incarnation of the engine; there is none on this system.
type Engine struct {
	Terms     *wire.Welcome
	Reply     *region.Mapping
	Events    []*region.Mapping
	EnginePID int
}

// Request is a host's own region.
type Request struct{ Mapping *region.Mapping }

// Ear hears what an engine says besides replies.
type Ear struct{}

// News is what an Ear has heard.
type News struct {
	Rung    bool
	Notices []wire.Notice
}

// Attach answers errors.ErrUnsupported on this system.
func Attach(context.Context, string, *wire.Wishes) (*Engine, *Request, error) {
	return nil, nil, errors.ErrUnsupported
}

// Resume answers errors.ErrUnsupported on this system.
func Resume(
	context.Context, string, *wire.Wishes, *wire.Welcome, *Request, []wire.LaneResume,
) (*Engine, error) {
	return nil, errors.ErrUnsupported
}

// Ring does nothing on this system.
func (e *Engine) Ring(int) {}

// Detach does nothing on this system.
func (e *Engine) Detach() {}

// Close does nothing on this system.
func (e *Engine) Close() {}

// Listen answers errors.ErrUnsupported on this system.
func (e *Engine) Listen() (*Ear, error) { return nil, errors.ErrUnsupported }

// Hear answers errors.ErrUnsupported on this system.
func (e *Ear) Hear() (News, error) { return News{}, errors.ErrUnsupported }

// Close does nothing on this system.
func (e *Ear) Close() {}

// WriteHeader does nothing on this system.
func (r *Request) WriteHeader(uint64, uint64) {}

// Close does nothing on this system.
func (r *Request) Close() {}
