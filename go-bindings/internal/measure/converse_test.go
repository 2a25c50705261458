package measure

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func known(answer func([]uint64) (Answer, error)) map[string]Question {
	return map[string]Question{"call": {Numbers: 2, Answer: answer}}
}

func TestAnswersAreALineAndTheirTimings(t *testing.T) {
	var to bytes.Buffer
	add := func(n []uint64) (Answer, error) {
		return Answer{Numbers: []uint64{n[0] + n[1]}, Timings: []uint32{1, 256}}, nil
	}
	if err := Converse(strings.NewReader("call 3 4\ncall 5 6\n"), &to, known(add)); err != nil {
		t.Fatal(err)
	}
	timings := "\x01\x00\x00\x00\x00\x01\x00\x00"
	if want := "ok 0\nok 7 2\n" + timings + "ok 11 2\n" + timings; to.String() != want {
		t.Errorf("said %q", to.String())
	}
}

func TestNonsenseAndFailureEndTheConversation(t *testing.T) {
	broken := errors.New("two\nlines")
	fail := func([]uint64) (Answer, error) { return Answer{}, broken }
	wrong := func([]uint64) (Answer, error) { return Answer{}, ErrWrong }
	for _, c := range []struct {
		said   string
		known  map[string]Question
		answer string
	}{
		{"call 1 2", known(fail), "error two; lines\n"},
		{"call 1 2", known(wrong), "wrong " + ErrWrong.Error() + "\n"},
		{"call 1", known(fail), ""},
		{"call 1 -2", known(fail), ""},
		{"sing 1 2", known(fail), ""},
		{"", known(fail), ""},
	} {
		var to bytes.Buffer
		err := Converse(strings.NewReader(c.said+"\n"), &to, c.known)
		if err == nil || to.String() != "ok 0\n"+c.answer {
			t.Errorf("%q: %v, said %q", c.said, err, to.String())
		}
	}
}

func TestRoundTripsAreTimedAndEachWordIsCompared(t *testing.T) {
	clock, err := ClockOf("monotonic")
	if err != nil {
		t.Fatal(err)
	}
	echo := func(request []byte) ([]byte, error) { return request, nil }
	timings, err := RoundTrips(clock, 10, 20, 48, echo)
	if err != nil || len(timings) != 20 {
		t.Errorf("%d timings, %v", len(timings), err)
	}
	for _, size := range []int{usual, 240} {
		for at := range size {
			lie := func(request []byte) ([]byte, error) {
				reply := bytes.Clone(request)
				reply[at] ^= 1
				return reply, nil
			}
			if _, err := RoundTrips(clock, 0, 1, size, lie); !errors.Is(err, ErrWrong) {
				t.Errorf("byte %d of %d is not looked at: %v", at, size, err)
			}
		}
	}
	short := func(request []byte) ([]byte, error) { return request[:40], nil }
	if _, err := RoundTrips(clock, 0, 1, 48, short); !errors.Is(err, ErrWrong) {
		t.Errorf("a short reply: %v", err)
	}
}

func TestWordsCountOn(t *testing.T) {
	for _, size := range []int{16, usual, 64} {
		b := make([]byte, size)
		Fill(b, 7)
		for word := range size / 8 {
			if found := binary.LittleEndian.Uint64(b[8*word:]); found != 7+uint64(word) {
				t.Errorf("word %d of %d bytes is %d", word, size, found)
			}
		}
		if !Is(b, size, 7) || Is(b, size, 8) {
			t.Errorf("%d bytes are another message", size)
		}
	}
}

func TestClocks(t *testing.T) {
	if _, err := ClockOf("sundial"); err == nil {
		t.Error("a sundial was found")
	}
	for _, name := range []string{"tsc", "monotonic"} {
		clock, err := ClockOf(name)
		if err != nil {
			t.Logf("no %s here", name)
			continue
		}
		first := clock.Ticks()
		if rate := clock.Rate(); rate < 1e6 || clock.Ticks() <= first {
			t.Errorf("%s: %g ticks a second, from %d to %d", name, rate, first, clock.Ticks())
		}
	}
	if Short(1<<40) != 1<<32-1 {
		t.Error("a long duration is cut")
	}
}
