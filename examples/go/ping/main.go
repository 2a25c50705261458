// Command ping sends requests of many sizes to an echo engine, compares every byte of every reply, and
// tells how long a round trip takes.
//
//	cargo run --release --example echo_engine -- /tmp/echo.sock 1     in one terminal
//	cd examples/go && go run ./ping /tmp/echo.sock [COUNT]            in another
//
// The same program in other languages: examples/ping.rs, examples/c/ping.c, examples/cpp/ping.cpp.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings"
)

const (
	kindEcho = 1
	largest  = 4096 // bytes of a payload
)

func main() {
	count := uint64(100_000)
	var err error
	if len(os.Args) == 3 {
		count, err = strconv.ParseUint(os.Args[2], 10, 32)
	}
	if err != nil || len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: ping PATH [COUNT]")
	}
	if err := run(context.Background(), os.Args[1], uint32(count)); err != nil {
		log.Fatal("ping: ", err)
	}
}

func run(ctx context.Context, path string, count uint32) error {
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithName("ping"))
	if err != nil {
		return err
	}
	defer client.Close()
	payload, reply := make([]byte, largest), make([]byte, 0, largest)
	started := time.Now()
	for ping := range count {
		request := fill(payload, ping)
		if reply, err = client.Call(ctx, kindEcho, request, reply[:0]); err != nil {
			return fmt.Errorf("call %d: %w", ping, err)
		}
		if !bytes.Equal(request, reply) {
			return fmt.Errorf("reply %d is not its request", ping)
		}
	}
	fmt.Printf("%d round trips, %v each\n", count, time.Since(started)/time.Duration(max(1, count)))
	return nil
}

// fill writes the payload of one ping: most are small, every eighth is up to 4 KiB, no neighbours are alike.
func fill(payload []byte, ping uint32) []byte {
	limit := uint32(64)
	if ping%8 == 7 {
		limit = largest
	}
	request := payload[:ping*2654435761%(limit+1)]
	for index := range request {
		request[index] = byte(ping*31 + uint32(index)*7)
	}
	return request
}
