// Command echo is an engine in Go for trying things out: it answers every request with its own payload,
// and publishes that to whoever reads its events. It is enginetest's, so it is neither pinned nor as fast
// as the one in Rust.
//
//	cd examples/go && go run ./echo /tmp/echo.sock        until Ctrl-C
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

// eventCapacity lets a slow reader be behind by some thousand requests.
const eventCapacity = 4 << 20

func main() {
	if len(os.Args) != 2 {
		log.Fatal("say where hosts shall attach: echo /tmp/echo.sock")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	engine, err := enginetest.Listen(os.Args[1], answer, enginetest.WithEventRings(1, eventCapacity))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	log.Printf("echoing at %s; Ctrl-C stops", engine.Path())
	<-ctx.Done()
	log.Printf("%+v", engine.Counts())
}

// answer echoes. A request that no event can carry is echoed all the same.
func answer(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
	if _, err := request.Publish(0, request.Kind, request.Payload); err != nil {
		log.Print(err)
	}
	return enginetest.Echo(request, reply)
}
