package hunt

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

var testSecret = SecretFromSeed(1)

// judge is an engine that knows tags, sequences and one arc, 3 to 4, of 100 decimetres.
func judge() enginetest.Handler {
	judged := map[uint32]Code{}
	return func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		var move Move
		if request.Kind != KindMove || move.UnmarshalBinary(request.Payload) != nil {
			return reply, enginetest.Status(Malformed)
		}
		answer := Reply{Player: move.Player, Sequence: move.Sequence}
		code, duplicate := judged[move.Sequence]
		switch {
		case !testSecret.Key(move.Player).HasSigned(request.Payload):
			code = BadTag
		case duplicate:
			answer.Duplicate = true
		case move.From != 3 || move.To != 4:
			code = UnknownEdge
		case move.OffsetDM > 100:
			code = BadOffset
		default:
			answer.TimeMS, answer.Placed, answer.Place = move.TimeMS, true, Point{X: 1}
		}
		if code != BadTag {
			judged[move.Sequence] = code
		}
		reply, _ = answer.AppendBinary(reply)
		return reply, enginetest.Status(code)
	}
}

func session(t testing.TB, handler enginetest.Handler) (*Session, *ironhoard.Client) {
	engine := enginetest.New(handler)
	t.Cleanup(engine.Close)
	client, err := ironhoard.Dial(context.Background(), engine.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return NewSession(client, 7, testSecret.Key(7)), client
}

func TestASessionCountsSignsAndUnderstands(t *testing.T) {
	s, _ := session(t, judge())
	for i, c := range []struct {
		from, to uint32
		offset   uint16
		code     Code
	}{{3, 4, 0, Accepted}, {3, 4, 100, Accepted}, {4, 3, 0, UnknownEdge}, {3, 4, 101, BadOffset}} {
		reply, err := s.Step(context.Background(), 1000, c.from, c.to, c.offset)
		if err != nil || reply.Code != c.code || reply.Sequence != uint32(i+1) || reply.Player != 7 {
			t.Errorf("step %d: %+v, %v", i, reply, err)
		}
		again, err := s.Again(context.Background())
		if err != nil || again.Code != c.code || !again.Duplicate {
			t.Errorf("step %d again: %+v, %v", i, again, err)
		}
	}
	if s.Sequence() != 4 {
		t.Errorf("sequence %d", s.Sequence())
	}
}

func TestMovesOfTheWrongSizeAndUnsignedOnesAreRefused(t *testing.T) {
	_, client := session(t, judge())
	for _, size := range []int{0, 47, 49} {
		reply, err := Send(context.Background(), client, make([]byte, size), nil)
		if err != nil || reply.Code != Malformed {
			t.Errorf("%d bytes: %+v, %v", size, reply, err)
		}
	}
	move := make([]byte, MoveSize)
	if reply, err := Send(context.Background(), client, move, nil); err != nil || reply.Code != BadTag {
		t.Errorf("no tag: %+v, %v", reply, err)
	}
}

func TestWhatTheEngineItselfSaysIsAnError(t *testing.T) {
	s, _ := session(t, func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		switch binary.LittleEndian.Uint32(request.Payload[8:]) {
		case 1:
			panic("the handler breaks")
		case 2:
			return append(reply, 1, 2, 3), enginetest.OK
		}
		return reply, 77
	})
	var remote *ironhoard.RemoteError
	if _, err := s.Step(context.Background(), 0, 3, 4, 0); !errors.As(err, &remote) ||
		remote.Code != ironhoard.StatusPanic {
		t.Errorf("a panic: %v", err)
	}
	var size *SizeError
	if _, err := s.Step(context.Background(), 0, 3, 4, 0); !errors.As(err, &size) || size.Size != 3 {
		t.Errorf("three bytes: %v", err)
	}
	if _, err := s.Step(context.Background(), 0, 3, 4, 0); !errors.As(err, &remote) || remote.Code != 77 {
		t.Errorf("an unknown code: %v", err)
	}
}

func TestAcceptedMovesAllocateNothing(t *testing.T) {
	answer, _ := (&Reply{Player: 7}).AppendBinary(nil)
	s := NewSession(still(answer), 7, testSecret.Key(7))
	step := func() {
		if reply, err := s.Step(context.Background(), 0, 3, 4, 0); err != nil || reply.Code != Accepted {
			t.Fatal(reply, err)
		}
	}
	if allocations := testing.AllocsPerRun(1000, step); allocations != 0 {
		t.Errorf("%v allocations a move", allocations)
	}
}

// still answers everything with the same bytes.
type still []byte

func (s still) Call(_ context.Context, _ uint16, _, dst []byte) ([]byte, error) {
	return append(dst, s...), nil
}
