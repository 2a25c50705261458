package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

// kindEcho is the engine's kind that answers with the request's payload.
const kindEcho = 1

// host is the measured side: a client, a producer's lane, and the ring beside the lanes.
type host struct {
	client   *ironhoard.Client
	producer *ironhoard.Producer
	stream   *stream
	clock    measure.Clock
	rate     float64 // ticks in a second
}

func attach(socket string, ringFD int, clock measure.Clock) (*host, error) {
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, socket, ironhoard.WithLanes(1), ironhoard.WithName("benchhost"))
	if err != nil {
		return nil, err
	}
	producer, err := client.NewProducer(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := openStream(ringFD)
	if err != nil {
		return nil, err
	}
	return &host{client, producer, stream, clock, clock.Rate()}, nil
}

func (h *host) close() error {
	h.stream.memory.Release()
	if err := h.producer.Close(); err != nil {
		return err
	}
	return h.client.Close()
}

func (h *host) questions() map[string]measure.Question {
	return map[string]measure.Question{
		"call":   {Numbers: 3, Answer: h.calls},
		"lane":   {Numbers: 3, Answer: h.laneCalls},
		"stream": {Numbers: 5, Answer: func(n []uint64) (measure.Answer, error) { return h.stream.run(h.clock, n) }},
		"window": {Numbers: 3, Answer: h.window},
		"closed": {Numbers: 2, Answer: h.closedLoop},
		"burst":  {Numbers: 3, Answer: h.bursts},
		"open":   {Numbers: 3, Answer: h.open},
		"cores":  {Numbers: -1, Answer: useCores},
	}
}

// calls makes round trips by Client.Call: warm-up, timed, payload. Answers with what the whole process
// allocated during the timed ones.
func (h *host) calls(n []uint64) (measure.Answer, error) {
	ctx, payload := context.Background(), int(n[2])
	request, reply := make([]byte, payload), make([]byte, 0, payload)
	return h.timed(n, func(number uint64) error {
		measure.Fill(request, number)
		got, err := h.client.Call(ctx, kindEcho, request, reply)
		if err != nil {
			return err
		}
		return compare(got, payload, number)
	})
}

// laneCalls makes round trips by the producer, written and read in place: warm-up, timed, payload.
func (h *host) laneCalls(n []uint64) (measure.Answer, error) {
	ctx, payload := context.Background(), int(n[2])
	return h.timed(n, func(number uint64) error {
		claim, err := h.producer.Claim(payload)
		if err != nil {
			return err
		}
		measure.Fill(claim, number)
		if _, err := h.producer.Commit(kindEcho); err != nil {
			return err
		}
		reply, err := h.producer.Wait(ctx)
		if err != nil {
			return err
		}
		if reply.Status != 0 {
			return reply.Err()
		}
		return compare(reply.Payload, payload, number)
	})
}

// timed times n[1] round trips behind n[0] that are not, with one reading of the clock each.
func (h *host) timed(n []uint64, once func(number uint64) error) (measure.Answer, error) {
	warmUp, count := n[0], n[1]
	timings := make([]uint32, 0, count)
	for number := range warmUp {
		if err := once(number); err != nil {
			return measure.Answer{}, err
		}
	}
	before := allocations()
	last := h.clock.Ticks()
	for number := range count {
		if err := once(number); err != nil {
			return measure.Answer{}, err
		}
		now := h.clock.Ticks()
		timings = append(timings, measure.Short(now-last))
		last = now
	}
	made := allocations() - before
	return measure.Answer{Numbers: []uint64{made}, Timings: timings}, nil
}

// allocations is the number of objects that the process has allocated.
func allocations() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}

func compare(reply []byte, payload int, number uint64) error {
	if !measure.Is(reply, payload, number) {
		return fmt.Errorf("message %d of %d bytes: %w", number, payload, measure.ErrWrong)
	}
	return nil
}

// window keeps the producer's window full: words, warm-up, timed. Requests are committed in groups; all
// words of all replies are summed.
func (h *host) window(n []uint64) (measure.Answer, error) {
	words, warmUp, timed := int(n[0]), n[1], n[2]
	if err := h.fillWindow(words, warmUp); err != nil {
		return measure.Answer{}, err
	}
	start := h.clock.Ticks()
	if err := h.fillWindow(words, timed); err != nil {
		return measure.Answer{}, err
	}
	return measure.Answer{Numbers: []uint64{h.clock.Ticks() - start}}, nil
}

// Requests sent before replies are looked for, how many of them go at once, and replies taken before requests
// are sent.
const (
	windowBurst   = 64
	windowGroup   = 16
	windowReplies = 256
)

func (h *host) fillWindow(words int, count uint64) error {
	var sent, taken uint64
	for taken < count {
		for sent < count {
			some, err := h.sendBurst(words, sent, min(windowBurst, count-sent))
			if err != nil {
				return err
			}
			if sent += some; some < windowBurst {
				break
			}
		}
		some, err := h.takeReplies(words, taken)
		if err != nil {
			return err
		}
		taken += some
	}
	return nil
}

// sendBurst sends up to count messages from number first on; fewer where the ring is full.
func (h *host) sendBurst(words int, first, count uint64) (sent uint64, err error) {
	for sent < count {
		group, err := h.producer.ClaimGroup(kindEcho, 8*words, int(min(count-sent, windowGroup)))
		if err == ironhoard.ErrFull {
			return sent, nil
		}
		if err != nil {
			return 0, err
		}
		for i := range group.Len() {
			measure.Fill(group.At(i), first+sent+uint64(i))
		}
		if _, err := h.producer.CommitGroup(&group, group.Len()); err != nil {
			return 0, err
		}
		sent += uint64(group.Len())
	}
	return sent, nil
}

// takeReplies takes what there is; the first must be message number next.
func (h *host) takeReplies(words int, next uint64) (taken uint64, err error) {
	for taken < windowReplies {
		reply, ok, err := h.producer.Poll()
		if err != nil {
			return 0, err
		}
		if !ok {
			return taken, nil
		}
		if err := compare(reply.Payload, 8*words, next+taken); err != nil {
			return 0, err
		}
		taken++
	}
	return taken, nil
}
