// Command echo is the engine of package enginetest for scripts/interop.sh: it serves until SIGTERM.
//
//	echo PATH
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: echo PATH")
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	engine, err := enginetest.Listen(os.Args[1], enginetest.Echo)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("echoing at %s\n", engine.Path())
	<-signals
	engine.Close()
}
