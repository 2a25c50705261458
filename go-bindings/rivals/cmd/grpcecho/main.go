// Command grpcecho is one half of the gRPC rival in `ironhoard bench go`: the server or the host that
// measures. It is spoken to as package measure says.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
	"github.com/ironhoard/ironhoard/go-bindings/rivals"
)

func main() {
	serve := flag.String("serve", "", "grpc: be the server")
	measure := flag.String("measure", "", "grpc: be the host that measures")
	at := flag.String("at", "", "the socket")
	clock := flag.String("clock", "monotonic", "tsc or monotonic")
	flag.Parse()
	if err := run(*serve, *measure, *at, *clock); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(serve, measure, at, clock string) error {
	switch {
	case serve == "grpc":
		return server(at)
	case measure == "grpc":
		return host(at, clock)
	}
	return fmt.Errorf("there is no rival %q here", serve+measure)
}

// server serves until its input ends.
func server(at string) error {
	if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	stop, err := rivals.ServeGRPC(at)
	if err != nil {
		return err
	}
	defer stop()
	return measure.Converse(os.Stdin, os.Stdout, nil)
}

func host(at, clockName string) error {
	clock, err := measure.ClockOf(clockName)
	if err != nil {
		return err
	}
	connection, err := rivals.DialGRPC(at)
	if err != nil {
		return err
	}
	defer connection.Close()
	return measure.Converse(os.Stdin, os.Stdout, map[string]measure.Question{"call": {
		Numbers: 3,
		Answer: func(n []uint64) (measure.Answer, error) {
			timings, err := measure.RoundTrips(clock, int(n[0]), int(n[1]), int(n[2]), connection.Echo)
			return measure.Answer{Timings: timings}, err
		},
	}})
}
