package hunt_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/hunt"
)

// A player walks. The engine here is one for tests that believes everything; yours is `ironhoard serve`.
func ExampleSession() {
	engine := enginetest.New(func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		var move hunt.Move
		if move.UnmarshalBinary(request.Payload) != nil {
			return reply, enginetest.Status(hunt.Malformed)
		}
		reply, _ = (&hunt.Reply{Player: move.Player, Sequence: move.Sequence}).AppendBinary(reply)
		return reply, enginetest.OK
	})
	defer engine.Close()

	client, err := ironhoard.Dial(context.Background(), engine.Path())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	const player = 7
	session := hunt.NewSession(client, player, hunt.SecretFromSeed(1).Key(player))
	reply, err := session.Step(context.Background(), 1000, 3, 4, 12)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Code, reply.Player, reply.Sequence)
	// Output: accepted 7 1
}

// A move can be signed and written where it is to lie.
func ExampleKey_Sign() {
	key := hunt.SecretFromSeed(1).Key(7)
	move := hunt.Move{Player: 7, Sequence: 1, From: 3, To: 4, Treasure: hunt.NoTreasure}
	var bytes [hunt.MoveSize]byte
	move.Put(bytes[:])
	key.Sign(bytes[:])
	fmt.Println(key.HasSigned(bytes[:]))
	bytes[3] ^= 1
	fmt.Println(key.HasSigned(bytes[:]))
	// Output:
	// true
	// false
}
