// Package measure is what the benchmarks in Go share: a clock, percentiles, and how `ironhoard bench` speaks
// with the programs that it measures: one line asks, one line answers, timings follow as bytes.
//
//	call 1024 2048 48      a word and whole numbers
//	ok 0 2048              numbers, the last says how many timings follow, each a little-endian u32
//	error REASON           and then the end; or wrong WHAT
//
// While nothing is asked a program sleeps in a read, so that the other side has the core. The end of its
// input ends it.
package measure

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrWrong says that what came back is not what was sent.
var ErrWrong = errors.New("a reply differs from its request")

// Answer is what one question brings.
type Answer struct {
	Numbers []uint64
	Timings []uint32 // ticks of the clock that was named at the start
}

// Question answers one line of the input; it is given the numbers behind the first word.
type Question struct {
	Numbers int // how many there must be; below 0 any
	Answer  func(numbers []uint64) (Answer, error)
}

// Converse answers the questions in from until there are no more, and before the first says that it is ready.
func Converse(from io.Reader, to io.Writer, known map[string]Question) error {
	output := bufio.NewWriterSize(to, 1<<16)
	if err := say(output, Answer{}); err != nil {
		return err
	}
	input := bufio.NewScanner(from)
	for input.Scan() {
		what, numbers, err := parse(input.Text())
		if err != nil {
			return err
		}
		ask, ok := known[what]
		if !ok {
			return fmt.Errorf("nobody here knows %q; both programs must come from one checkout", what)
		}
		if ask.Numbers >= 0 && len(numbers) != ask.Numbers {
			return fmt.Errorf("%s: %d numbers where %d are needed", what, len(numbers), ask.Numbers)
		}
		found, err := ask.Answer(numbers)
		if err != nil {
			return giveUp(output, err)
		}
		if err := say(output, found); err != nil {
			return err
		}
	}
	return input.Err()
}

func parse(line string) (what string, numbers []uint64, err error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", nil, errors.New("an empty question")
	}
	for _, word := range words[1:] {
		number, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return "", nil, fmt.Errorf("question %q: %w", line, err)
		}
		numbers = append(numbers, number)
	}
	return words[0], numbers, nil
}

func say(output *bufio.Writer, found Answer) error {
	fmt.Fprint(output, "ok")
	for _, number := range found.Numbers {
		fmt.Fprintf(output, " %d", number)
	}
	fmt.Fprintf(output, " %d\n", len(found.Timings))
	if err := binary.Write(output, binary.LittleEndian, found.Timings); err != nil {
		return err
	}
	return output.Flush()
}

// giveUp tells the other side why; the process ends with the same reason.
func giveUp(output *bufio.Writer, cause error) error {
	word := "error"
	if errors.Is(cause, ErrWrong) {
		word = "wrong"
	}
	fmt.Fprintf(output, "%s %s\n", word, strings.ReplaceAll(cause.Error(), "\n", "; "))
	return errors.Join(cause, output.Flush())
}

// RoundTrips times calls one after the other with one reading of the clock each, the first warmUp of them
// not at all. Once is given the request, whose words are new each time, and gives the reply.
func RoundTrips(
	clock Clock, warmUp, timed, payload int, once func(request []byte) ([]byte, error),
) ([]uint32, error) {
	request := make([]byte, payload)
	timings := make([]uint32, 0, timed)
	last := clock.Ticks()
	for i := range warmUp + timed {
		Fill(request, uint64(i))
		reply, err := once(request)
		if err != nil {
			return nil, err
		}
		if !Is(reply, payload, uint64(i)) {
			return nil, ErrWrong
		}
		now := clock.Ticks()
		if i >= warmUp {
			timings = append(timings, Short(now-last))
		}
		last = now
	}
	return timings, nil
}

// Fill writes the words of message number into b, whose length is a multiple of 8.
func Fill(b []byte, number uint64) {
	if len(b) == usual {
		fillUsual((*[usual]byte)(b), number)
		return
	}
	for at := 0; at+8 <= len(b); at += 8 {
		binary.LittleEndian.PutUint64(b[at:], number+uint64(at/8))
	}
}

// usual is the size of the messages that figures are about: as a constant, as in a program whose messages
// have one size.
const usual = 48

func fillUsual(b *[usual]byte, number uint64) {
	binary.LittleEndian.PutUint64(b[0:8], number)
	binary.LittleEndian.PutUint64(b[8:16], number+1)
	binary.LittleEndian.PutUint64(b[16:24], number+2)
	binary.LittleEndian.PutUint64(b[24:32], number+3)
	binary.LittleEndian.PutUint64(b[32:40], number+4)
	binary.LittleEndian.PutUint64(b[40:48], number+5)
}

// Is says whether b is message number of so many bytes: every word is looked at.
func Is(b []byte, payload int, number uint64) bool {
	if len(b) != payload {
		return false
	}
	if len(b) == usual {
		return isUsual((*[usual]byte)(b), number)
	}
	var wrong uint64
	for at := 0; at+8 <= len(b); at += 8 {
		wrong |= binary.LittleEndian.Uint64(b[at:]) ^ (number + uint64(at/8))
	}
	return wrong == 0
}

func isUsual(b *[usual]byte, number uint64) bool {
	wrong := binary.LittleEndian.Uint64(b[0:8]) ^ number
	wrong |= binary.LittleEndian.Uint64(b[8:16]) ^ (number + 1)
	wrong |= binary.LittleEndian.Uint64(b[16:24]) ^ (number + 2)
	wrong |= binary.LittleEndian.Uint64(b[24:32]) ^ (number + 3)
	wrong |= binary.LittleEndian.Uint64(b[32:40]) ^ (number + 4)
	wrong |= binary.LittleEndian.Uint64(b[40:48]) ^ (number + 5)
	return wrong == 0
}
