package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

// rivalPatience is how long a client waits for a server that has just been started.
const rivalPatience = 5 * time.Second

// serveRival echoes on a plain Unix socket, one message of a known size after the other, until its
// standard input ends.
func serveRival(kind, path string) error {
	if kind != "socket" {
		return fmt.Errorf("there is no rival %q here", kind)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(connection)
		}
	}()
	return measure.Converse(os.Stdin, os.Stdout, nil)
}

// echo sends back whatever arrives.
func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// measureRival answers the question call on a plain Unix socket.
func measureRival(kind, path string, clock measure.Clock) error {
	if kind != "socket" {
		return fmt.Errorf("there is no rival %q here", kind)
	}
	connection, err := net.DialTimeout("unix", path, rivalPatience)
	if err != nil {
		return err
	}
	defer connection.Close()
	reply := make([]byte, 4096)
	once := func(request []byte) ([]byte, error) {
		if _, err := connection.Write(request); err != nil {
			return nil, err
		}
		n, err := io.ReadFull(connection, reply[:len(request)])
		return reply[:n], err
	}
	return measure.Converse(os.Stdin, os.Stdout, map[string]measure.Question{"call": {
		Numbers: 3,
		Answer: func(n []uint64) (measure.Answer, error) {
			timings, err := measure.RoundTrips(clock, int(n[0]), int(n[1]), int(n[2]), once)
			return measure.Answer{Timings: timings}, err
		},
	}})
}
