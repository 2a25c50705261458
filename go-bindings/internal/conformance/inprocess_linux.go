//go:build linux && (amd64 || arm64)

package conformance

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

// InProcess starts the engine in Go.
func InProcess(t *testing.T, settings ...string) Engine {
	t.Helper()
	var options []enginetest.Option
	for _, setting := range settings {
		option, err := option(setting)
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, option)
	}
	e := &inProcess{t: t}
	e.Engine = enginetest.New(e.answer, options...)
	t.Cleanup(e.Close)
	return e
}

type inProcess struct {
	*enginetest.Engine
	t *testing.T
}

func (e *inProcess) Restart() {
	e.t.Helper()
	if err := e.Engine.Restart(); err != nil {
		e.t.Fatal(err)
	}
}

// Descriptors are not told apart from the host's, which lives in the same process.
func (e *inProcess) Descriptors() int { return -1 }

// option is the option that `name=value` means.
func option(setting string) (enginetest.Option, error) {
	name, value, _ := strings.Cut(setting, "=")
	number, err := strconv.Atoi(value)
	switch name {
	case "wait":
		if value == "park" {
			return enginetest.WithPatience(0), nil
		}
		return enginetest.WithPatience(200 * time.Microsecond), nil
	case "state":
		return enginetest.WithState("its answers were asked for to be a state"), nil
	case "membarrier":
		return enginetest.WithoutMembarrier(), nil
	case "service":
		service, version, _ := strings.Cut(value, ":")
		number, err := strconv.ParseUint(version, 10, 32)
		return enginetest.WithService(service, uint32(number)), err
	case "events":
		var rings int
		var capacity uint64
		_, err := fmt.Sscanf(value, "%d:%d", &rings, &capacity)
		return enginetest.WithEventRings(rings, capacity), err
	}
	if err != nil {
		return nil, fmt.Errorf("the setting %q: %w", setting, err)
	}
	switch name {
	case "shards":
		return enginetest.WithShards(number), nil
	case "largest":
		return enginetest.WithLargestReply(number), nil
	case "uid":
		return enginetest.WithAllowedUIDs(uint32(number)), nil
	case "lanes":
		return enginetest.WithMaxLanes(number), nil
	case "capacity":
		return enginetest.WithMaxCapacity(uint64(number)), nil
	case "hosts":
		return enginetest.WithMaxHosts(number), nil
	case "silence_ms":
		return enginetest.WithSilence(time.Duration(number) * time.Millisecond), nil
	}
	return nil, fmt.Errorf("there is no setting %q", setting)
}

// answer is the handler: see the package's table.
func (e *inProcess) answer(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
	payload := request.Payload
	switch request.Kind {
	case KindEcho:
		return append(reply, payload...), enginetest.OK
	case KindCode:
		code := binary.LittleEndian.Uint16(payload)
		return append(reply, payload[2:]...), enginetest.Status(code)
	case KindPanic:
		panic("asked to")
	case KindTooLarge:
		return make([]byte, cap(reply)+1<<20), enginetest.OK
	case KindEmpty:
		return reply, enginetest.OK
	case KindPattern:
		for i := range binary.LittleEndian.Uint32(payload) {
			reply = append(reply, byte(request.Number+uint64(i)))
		}
		return reply, enginetest.OK
	case KindSlow:
		time.Sleep(time.Duration(binary.LittleEndian.Uint32(payload)) * time.Microsecond)
		return reply, enginetest.OK
	case KindDie:
		e.Kill()
		return reply, enginetest.OK
	case KindSum:
		sum := uint64(0)
		for _, value := range payload {
			sum += uint64(value)
		}
		return binary.LittleEndian.AppendUint64(reply, sum), enginetest.OK
	case KindPublish:
		return publishEvents(request, reply)
	}
	return reply, 1
}

func publishEvents(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
	count, size := binary.LittleEndian.Uint32(request.Payload), binary.LittleEndian.Uint32(request.Payload[4:])
	payload, last := make([]byte, size), uint64(0)
	for range count {
		next := request.NextEvent(0)
		for i := range payload {
			payload[i] = byte(next + uint64(i))
		}
		var err error
		if last, err = request.Publish(0, uint16(next), payload); err != nil {
			return reply, 2
		}
	}
	return binary.LittleEndian.AppendUint64(reply, last), enginetest.OK
}
