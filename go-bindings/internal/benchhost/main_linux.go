// Command benchhost is the Go host that `ironhoard bench go` measures. It is spoken to through its
// standard input and output:
//
//	call 1024 2048 48      ▶  round trips by Client.Call: warm-up, timed, payload
//	lane 1024 2048 48      ▶  the same by a Producer
//	stream 16 6 8192 16384 ▶  one way through the ring beside the lanes: group, words, warm-up, timed
//	window 6 8192 16384    ▶  a Producer whose window is kept full: words, warm-up, timed
//	closed 1000 300        ▶  goroutines that call as fast as they can: goroutines, milliseconds
//	burst 1000 500000 300  ▶  the same in bursts: goroutines, calls a second, milliseconds
//	open 50000 400 0       ▶  one caller at a steady rate: calls a second, milliseconds, garbage a second
//	cores 0 2 3            ▶  use these processors from now on
//
// How answers look is said in package measure.
//
// With -serve or -measure it is one half of a rival instead: the same payload over a plain Unix socket.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

func main() {
	socket := flag.String("socket", "", "where the engine is")
	ringFD := flag.Int("ring-fd", -1, "inherited descriptor of the ring beside the lanes")
	clockName := flag.String("clock", "monotonic", "tsc or monotonic")
	serve := flag.String("serve", "", "serve this rival instead")
	rival := flag.String("measure", "", "measure this rival instead")
	at := flag.String("at", "", "the rival's socket")
	flag.Parse()
	if err := run(*socket, *ringFD, *clockName, *serve, *rival, *at); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(socket string, ringFD int, clockName, serve, rival, at string) error {
	clock, err := measure.ClockOf(clockName)
	if err != nil {
		return err
	}
	switch {
	case serve != "":
		return serveRival(serve, at)
	case rival != "":
		return measureRival(rival, at, clock)
	}
	host, err := attach(socket, ringFD, clock)
	if err != nil {
		return err
	}
	if err := measure.Converse(os.Stdin, os.Stdout, host.questions()); err != nil {
		return err
	}
	return host.close()
}
