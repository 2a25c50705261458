package hunt

import (
	"context"
	"errors"

	"github.com/ironhoard/ironhoard/go-bindings"
)

// Caller is what a session speaks through: an *ironhoard.Client, an *ironhoard.Producer, or a test's own.
type Caller interface {
	Call(ctx context.Context, kind uint16, req, dst []byte) ([]byte, error)
}

// Session is one player who moves: it counts the moves, signs them and understands the answers. One
// goroutine at a time. It allocates nothing for a move that is accepted.
type Session struct {
	caller   Caller
	player   uint64
	key      Key
	sequence uint32
	request  [MoveSize]byte
	reply    [ReplySize]byte
}

// NewSession begins a session of player, whose key comes from the world's secret: [Secret.Key]. The sequence
// begins at 1.
func NewSession(caller Caller, player uint64, key Key) *Session {
	return &Session{caller: caller, player: player, key: key}
}

// Sequence is the number of the last move that was sent.
func (s *Session) Sequence() uint32 { return s.sequence }

// Resume goes on behind sequence: for a player who has moved in another session.
func (s *Session) Resume(sequence uint32) { s.sequence = sequence }

// Step says that the player is offsetDM decimetres along the arc between two nodes, at timeMS of its clock. A
// refusal is an answer: look at the reply's code. An error means that there is no answer; an
// *ironhoard.UncertainError, that the move may have been judged all the same: [Session.Again] asks once more.
func (s *Session) Step(ctx context.Context, timeMS, from, to uint32, offsetDM uint16) (Reply, error) {
	s.sequence++
	move := Move{
		Player: s.player, Sequence: s.sequence, TimeMS: timeMS, From: from, To: to, OffsetDM: offsetDM,
		Kind: MoveStep, Treasure: NoTreasure,
	}
	move.Put(s.request[:])
	s.key.Sign(s.request[:])
	return s.Again(ctx)
}

// Again sends the last move once more, byte for byte. If it was judged before, the reply is a duplicate with
// the code of the first time, so this is safe after an error.
func (s *Session) Again(ctx context.Context) (Reply, error) {
	return Send(ctx, s.caller, s.request[:], s.reply[:0])
}

// Send sends a move's bytes as they are and reads the answer; dst is room for its [ReplySize] bytes.
func Send(ctx context.Context, caller Caller, move, dst []byte) (Reply, error) {
	payload, err := caller.Call(ctx, KindMove, move, dst[:0])
	var reply Reply
	if err != nil {
		var refused *ironhoard.RemoteError
		if !errors.As(err, &refused) || !Code(refused.Code).IsKnown() {
			return Reply{}, err
		}
		reply.Code = Code(refused.Code)
		if len(payload) == 0 {
			return reply, nil // a move of the wrong size is answered without a payload
		}
	}
	return reply, reply.UnmarshalBinary(payload)
}
