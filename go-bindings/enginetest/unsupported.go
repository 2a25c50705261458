//go:build !linux || !(amd64 || arm64)

package enginetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// life is none on this system.
type life struct{ running sync.WaitGroup }

func begin(string, Handler, settings, *counts) (*life, error) {
	return nil, fmt.Errorf("an engine needs Linux on amd64 or arm64, and this is %s on %s: %w",
		runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

func (*life) die()           {}
func (*life) bury()          {}
func (*life) halt()          {}
func (*life) closeGates()    {}
func (*life) openGates()     {}
func (*life) hostCount() int { return 0 }
