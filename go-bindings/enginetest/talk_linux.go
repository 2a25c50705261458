//go:build linux && (amd64 || arm64)

package enginetest

import (
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// The engine's end of the conversation, on a goroutine of its own:
//
//	who is it? ─▶ HELLO ─▶ judge ─▶ make ─▶ WELCOME ─▶ MAPPED ─▶ seal, check, map ─▶ READY ─▶ notices
//	    └──────────┴────────┴────────┴─────────┴────────┴──── REFUSED, with the reason ─┘

// converse attaches the host behind socket and stays until it leaves.
func (l *life) converse(socket *net.UnixConn) {
	conn, err := wire.NewConn(socket)
	if err != nil {
		return
	}
	h := &host{life: l, conn: conn}
	if refusal := l.enter(h); refusal != nil {
		h.refuse(refusal)
		conn.Close()
		return
	}
	if refusal := h.attach(); refusal != nil {
		h.refuse(refusal)
		l.forget(h)
		conn.Close()
		return
	}
	h.listen()
}

// refuse tells the host why, unless it has hung up; whether it arrives is the host's affair.
func (h *host) refuse(refusal *wire.Refusal) {
	if refusal.Code == wire.Gone {
		return
	}
	h.life.counts.refused.Add(1)
	h.life.settings.logger.Info("refused a host", "code", uint32(refusal.Code), "reason", refusal.Text)
	_ = h.conn.SendNow(refusal.Encode())
}

// attach holds the conversation until READY, and hands the lanes to the shards.
func (h *host) attach() *wire.Refusal {
	hello, kept, refusal := h.hearHello()
	if kept >= 0 {
		defer syscall.Close(kept)
	}
	for _, judge := range []func() *wire.Refusal{
		func() *wire.Refusal { return h.life.settings.judge(hello) },
		func() *wire.Refusal { return h.life.settings.judgeResume(hello) },
		func() *wire.Refusal { return h.life.serve(h, kept) },
	} {
		if refusal == nil {
			refusal = judge()
		}
	}
	if refusal != nil {
		return refusal
	}
	made := &offer{}
	refusal = h.life.prepare(made, hello, kept)
	if refusal == nil && made.newRequest != nil {
		refusal = h.life.serve(h, made.newRequest.fd)
	}
	if refusal == nil {
		refusal = h.agree(made)
	}
	if refusal != nil {
		made.drop()
		return refusal
	}
	return h.open(made, hello)
}

// agree says WELCOME, hears MAPPED, and looks whether the host's region may be believed.
func (h *host) agree(made *offer) *wire.Refusal {
	if refusal := h.tell(made.terms.Encode(), slices.Concat(made.toHost, made.lent)...); refusal != nil {
		return refusal
	}
	made.closeToHost()
	received, refusal := h.hear("MAPPED")
	if refusal != nil {
		return refusal
	}
	if err := errors.Join(received.Expect(0), wire.DecodeStep(received.Message, wire.KindMapped)); err != nil {
		return refuse(wire.Malformed, "%v", err)
	}
	return made.open()
}

// hearHello is the first message and, for RESUME, the one descriptor that comes with it; -1 otherwise.
func (h *host) hearHello() (*wire.Hello, int, *wire.Refusal) {
	received, refusal := h.hear("HELLO")
	if refusal != nil {
		return nil, -1, refusal
	}
	defer received.Close()
	head, err := wire.HeadOf(received.Message)
	if err != nil {
		return nil, -1, refuse(wire.Malformed, "%v", err)
	}
	if head.Version != wire.Version {
		refusal := refuse(wire.NoVersion, "this engine speaks layout version %d and the host speaks %d at the "+
			"lowest: update the older of the two", wire.Version, head.Version)
		refusal.Limit = wire.Version
		return nil, -1, refusal
	}
	hello, err := wire.DecodeHello(received.Message)
	if err != nil {
		return nil, -1, refuse(wire.Malformed, "%v", err)
	}
	expected := 0
	if hello.Resume != nil {
		expected = 1
	}
	if err := received.Expect(expected); err != nil {
		return nil, -1, refuse(wire.Malformed, "%v", err)
	}
	kept := -1
	if expected == 1 {
		kept, received.Descriptors = received.Descriptors[0], nil
	}
	return hello, kept, nil
}

func (h *host) hear(step string) (*wire.Received, *wire.Refusal) {
	_ = h.conn.SetDeadline(time.Now().Add(h.life.settings.silence))
	received, err := h.conn.Receive()
	if err != nil {
		return nil, h.broken(err, step)
	}
	return received, nil
}

func (h *host) tell(message []byte, descriptors ...int) *wire.Refusal {
	_ = h.conn.SetDeadline(time.Now().Add(h.life.settings.silence))
	if err := h.conn.Send(message, descriptors...); err != nil {
		return h.broken(err, "room for the engine's message")
	}
	return nil
}

func (h *host) broken(err error, step string) *wire.Refusal {
	var malformed *wire.MessageError
	switch {
	case errors.Is(err, wire.ErrHungUp) || errors.Is(err, net.ErrClosed):
		return refuse(wire.Gone, "the host hung up where %s was due", step)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(wire.Silence, "the host was silent for %v where %s was due: answer each step in that time",
			h.life.settings.silence, step)
	case errors.As(err, &malformed):
		return refuse(wire.Malformed, "%v", err)
	}
	return refuse(wire.Resources, "the engine's socket failed where %s was due (%v): "+
		"check its limit on open files", step, err)
}
