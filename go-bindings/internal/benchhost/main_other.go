//go:build !linux

// Command benchhost is there for the compiler: engines are on Linux.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, errors.ErrUnsupported)
	os.Exit(1)
}
