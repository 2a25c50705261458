// Command ping is the Go host of scripts/interop.sh: requests of many sizes, every byte of every
// reply compared.
//
//	ping PATH COUNT
//
// It does what examples/ping.rs, examples/c/ping.c and examples/cpp/ping.cpp do.
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

const largest = 4096

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: ping PATH COUNT")
	}
	count, err := strconv.ParseUint(os.Args[2], 10, 32)
	if err == nil {
		err = run(os.Args[1], uint32(count))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(path string, count uint32) error {
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path)
	if err != nil {
		return err
	}
	defer client.Close()
	payload, reply := make([]byte, largest), make([]byte, 0, largest)
	started := time.Now()
	for ping := range count {
		request := fill(payload, ping)
		if reply, err = client.Call(ctx, 1, request, reply[:0]); err != nil {
			return fmt.Errorf("call %d: %w", ping, err)
		}
		if !bytes.Equal(request, reply) {
			return fmt.Errorf("reply %d is not its request", ping)
		}
	}
	fmt.Printf("%d round trips, %v each\n", count, time.Since(started)/time.Duration(max(1, count)))
	return nil
}

// fill writes the payload of one ping: most are small, every eighth is up to 4 KiB.
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
