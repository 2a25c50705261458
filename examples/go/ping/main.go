// Command ping calls an echo engine some times and says how long a round trip took.
//
//	cargo run --release --example echo_engine -- /tmp/echo.sock 1     in one terminal
//	cd examples/go && go run ./ping /tmp/echo.sock                    in another
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings"
)

const (
	kindEcho = 1
	calls    = 10_000
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("say where the engine is: ping /tmp/echo.sock")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithName("ping"))
	if err != nil {
		return err
	}
	defer client.Close()

	request, reply := []byte("hello over shared memory"), make([]byte, 0, 64)
	took := make([]time.Duration, 0, calls)
	for range calls {
		start := time.Now()
		if reply, err = client.Call(ctx, kindEcho, request, reply[:0]); err != nil {
			return err
		}
		took = append(took, time.Since(start))
		if !bytes.Equal(request, reply) {
			return fmt.Errorf("the engine answered %q", reply)
		}
	}
	slices.Sort(took)
	fmt.Printf("%d calls: p50 %v, p99 %v, longest %v\n", calls, took[calls/2], took[calls*99/100], took[calls-1])
	return nil
}
