package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// Where the ring lies in the memory that the other side shares: the position word of its consumer in the
// second line, the records in the second half.
const (
	sharedBytes    = 2 << 20
	positionOffset = 64
	recordsOffset  = 1 << 20
	recordsBytes   = 1 << 20
)

// streamRecord is the kind of every record of a stream.
const streamRecord = 1

// streamPatience is how long a stream of milliseconds may make no progress.
const streamPatience = 3 * time.Second

var errStalled = errors.New("the engine took nothing out of the ring for seconds")

// stream is the producer of the ring beside the lanes: the same code that writes a request ring.
type stream struct {
	batch    ring.Run
	memory   *region.Mapping
	producer *ring.Producer
	reserved uint32
	appends  bool
}

func openStream(fd int) (*stream, error) {
	memory, err := region.ReadWrite(fd, sharedBytes)
	if err != nil {
		return nil, fmt.Errorf("the ring beside the lanes: %w", err)
	}
	words, position := memory.Words(recordsOffset, recordsBytes), memory.Word(positionOffset)
	producer, err := ring.NewProducer(words, position, ring.Start)
	if err != nil {
		memory.Release()
		return nil, err
	}
	made := &stream{memory: memory, producer: producer}
	made.batch = producer.NewRun(made)
	return made, nil
}

// run writes records, group of them visible at a time: warmUp untimed, then timed on the clock, from an
// empty ring to an empty ring. Where append is 1 they are appended to their group one by one, otherwise each
// group is claimed at once.
func (s *stream) run(clock measure.Clock, n []uint64) (measure.Answer, error) {
	group, words, warmUp, timed := n[0], int(n[1]), n[2], n[3]
	s.appends = n[4] == 1
	if err := s.write(group, words, warmUp); err != nil {
		return measure.Answer{}, err
	}
	start := clock.Ticks()
	if err := s.write(group, words, timed); err != nil {
		return measure.Answer{}, err
	}
	return measure.Answer{Numbers: []uint64{clock.Ticks() - start}}, nil
}

// write writes count records and waits until all of them are taken.
func (s *stream) write(group uint64, words int, count uint64) error {
	pause := patience{}
	if err := s.writeRecords(group, words, count, &pause); err != nil {
		return err
	}
	return s.drain(&pause)
}

// writeRecords writes count records.
func (s *stream) writeRecords(group uint64, words int, count uint64, pause *patience) error {
	if group > 1 && !s.appends {
		return s.claimGroups(group, words, count, pause)
	}
	if words == 6 && group > 1 {
		return s.writeGroups(group, count)
	}
	if words == 6 {
		return s.writeAlone(count)
	}
	end := s.producer.Next() + count
	for s.producer.Next() < end {
		room, err := s.producer.Reserve(8 * words)
		if err != nil {
			if err := s.wait(err, pause); err != nil {
				return err
			}
			continue
		}
		fill(s.producer.Payload(room), words, s.producer.Next())
		if group == 1 {
			s.producer.Commit(room, 8*words, streamRecord)
			continue
		}
		s.producer.Append(room, 8*words, streamRecord)
		if uint64(s.producer.Pending()) >= group {
			s.producer.Publish()
		}
	}
	s.producer.Publish()
	return nil
}

// claimGroups writes count records in groups that are claimed at once.
func (s *stream) claimGroups(group uint64, words int, count uint64, pause *patience) error {
	for end := s.producer.Next() + count; s.producer.Next() < end; {
		next := s.producer.Next()
		lent, err := s.producer.ReserveGroup(8*words, int(min(group, end-next)), streamRecord)
		if err != nil {
			if err := s.wait(err, pause); err != nil {
				return err
			}
			continue
		}
		fillGroup(&lent, words, next)
		s.producer.CommitGroup(&lent, lent.Len())
	}
	return nil
}

// fillGroup writes the words of records next and on. A call in the loop would store where to return to.
func fillGroup(group *ring.Group, words int, next uint64) {
	if words != 6 {
		for i := range group.Len() {
			fill(group.At(i), words, next+uint64(i))
		}
		return
	}
	for i := range group.Len() {
		fillSix((*[48]byte)(group.At(i)), next+uint64(i))
	}
}

// writeGroups writes count records of 48 bytes as a program does whose messages have one size, with the same
// calls that a lane's Producer has for it. It keeps nothing in variables that it would have to store.
func (s *stream) writeGroups(group, count uint64) error {
	p := s.producer
	for end := p.Next() + count; p.Next() < end; p.Publish() {
		for last := min(p.Next()+group, end); p.Next() < last; {
			payload, err := s.batch.Claim(48, reserve)
			if err != nil {
				return err
			}
			fillSix((*[48]byte)(payload), p.Next())
			if _, err := s.batch.Append(streamRecord, appendReserved); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAlone is writeGroups with each record committed by itself.
func (s *stream) writeAlone(count uint64) error {
	p := s.producer
	for end := p.Next() + count; p.Next() < end; {
		room, err := p.Reserve(48)
		if err != nil {
			if _, err = reserve(&s.batch, 48); err != nil {
				return err
			}
			room = ring.Room(s.reserved)
		}
		fillSix((*[48]byte)(p.Payload(room)), p.Next())
		p.CommitAlone(48, streamRecord)
	}
	return nil
}

// reserve reserves room for payload bytes and waits for it.
func reserve(run *ring.Run, payload int) ([]byte, error) {
	s, pause := run.Owner.(*stream), patience{}
	for {
		room, err := s.producer.Reserve(payload)
		if err == nil {
			s.reserved = uint32(payload)
			return s.producer.Payload(room), nil
		}
		if err := s.wait(err, &pause); err != nil {
			return nil, err
		}
	}
}

// appendReserved appends what was reserved.
func appendReserved(run *ring.Run, kind uint16) (uint64, error) {
	s := run.Owner.(*stream)
	return s.producer.AppendRun(run, s.reserved, kind), nil
}

// wait waits a little where the ring is full; any other error is one.
func (s *stream) wait(err error, pause *patience) error {
	if err != ring.ErrFull {
		return err
	}
	return pause.once()
}

// fill writes the words of record number; no two words of a stream are alike.
func fill(payload []byte, words int, number uint64) {
	if words == 6 { // as a constant, as in a program whose messages have one size
		fillSix((*[48]byte)(payload), number)
		return
	}
	for i := range words {
		binary.LittleEndian.PutUint64(payload[8*i:], number+uint64(i+1)<<48)
	}
}

func fillSix(payload *[48]byte, number uint64) {
	binary.LittleEndian.PutUint64(payload[0:8], number+1<<48)
	binary.LittleEndian.PutUint64(payload[8:16], number+2<<48)
	binary.LittleEndian.PutUint64(payload[16:24], number+3<<48)
	binary.LittleEndian.PutUint64(payload[24:32], number+4<<48)
	binary.LittleEndian.PutUint64(payload[32:40], number+5<<48)
	binary.LittleEndian.PutUint64(payload[40:48], number+6<<48)
}

// drain waits until all records are taken.
func (s *stream) drain(pause *patience) error {
	for {
		backlog, err := s.producer.Backlog()
		if err != nil || backlog == 0 {
			return err
		}
		if err := pause.once(); err != nil {
			return err
		}
	}
}

// patience notices when a stream of milliseconds has taken seconds; it looks at the clock seldom.
type patience struct {
	looks int
	since time.Time
}

func (p *patience) once() error {
	sys.Pause(1)
	if p.looks++; p.looks&(1<<14-1) != 0 {
		return nil
	}
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if time.Since(p.since) > streamPatience {
		return errStalled
	}
	return nil
}
