package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

// useCores lets every thread of this process use these processors, and gives Go as many of its own.
// Answers with their number.
func useCores(cores []uint64) (measure.Answer, error) {
	mask := make([]byte, 128)
	for _, core := range cores {
		if core >= uint64(8*len(mask)) {
			return measure.Answer{}, fmt.Errorf("processor %d is beyond those that can be named", core)
		}
		mask[core/8] |= 1 << (core % 8)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return measure.Answer{}, err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return measure.Answer{}, err
		}
		if err := setAffinity(id, mask); err != nil && err != syscall.ESRCH {
			return measure.Answer{}, fmt.Errorf("using processors %v: %w", cores, err)
		}
	}
	runtime.GOMAXPROCS(max(1, len(cores)))
	return measure.Answer{Numbers: []uint64{uint64(runtime.GOMAXPROCS(0))}}, nil
}
