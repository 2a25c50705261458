package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func wishes() Wishes {
	return Wishes{Lanes: 3, EventRings: 2, RequestCapacity: 4096, ReplyCapacity: 1 << 30, Pages: PagesSmall,
		Membarrier: true, ServiceVersion: 7, Service: "hunt", HostName: "Schatzsuche №1"}
}

func resumeSaid() *Resume {
	return &Resume{HostID: math.MaxUint64, Epoch: 2, Lanes: []LaneResume{
		{}, {LastReply: 9, Position: 64, Deaths: 1}, {LastReply: math.MaxUint64, Position: 128, Deaths: 2}}}
}

func welcomeSaid() *Welcome {
	return &Welcome{HostID: 5, Epoch: 2, Shards: 2, RequestCapacity: 4096, ReplyCapacity: 8192,
		RequestBytes: 1 << 21, ReplyBytes: 20480, RequestPages: PagesHuge2M, ReplyPages: PagesSmall4K,
		Membarrier: true, Descriptors: 4, ServiceVersion: 7, Service: "hunt", LaneShards: []uint16{0, 1, 0},
		EventCapacity: 1 << 16, Life: 99, EventRings: []EventRing{
			{Bytes: 69632, Pages: PagesSmall4K}, {Bytes: 1 << 21, Pages: PagesHuge2M, Shard: 1}}}
}

// said is one of every message, with what decodes it.
func said() map[string]struct {
	message []byte
	decode  func([]byte) (any, error)
} {
	type entry = struct {
		message []byte
		decode  func([]byte) (any, error)
	}
	hello := func(b []byte) (any, error) { return DecodeHello(b) }
	notice := func(b []byte) (any, error) { return DecodeNotice(b) }
	step := func(kind Kind) func([]byte) (any, error) {
		return func(b []byte) (any, error) { return nil, DecodeStep(b, kind) }
	}
	return map[string]entry{
		"HELLO":    {NewHello(wishes(), nil).Encode(), hello},
		"RESUME":   {NewHello(wishes(), resumeSaid()).Encode(), hello},
		"WELCOME":  {welcomeSaid().Encode(), func(b []byte) (any, error) { return DecodeWelcome(b) }},
		"MAPPED":   {EncodeStep(KindMapped), step(KindMapped)},
		"READY":    {EncodeStep(KindReady), step(KindReady)},
		"REFUSED":  {(&Refusal{Code: Lanes, Text: "ask for fewer", Limit: 3}).Encode(), notice},
		"DRAINING": {EncodeStep(KindDraining), notice},
		"DETACH":   {EncodeStep(KindDetach), notice},
	}
}

func TestWhatIsSaidIsHeard(t *testing.T) {
	for _, resume := range []*Resume{nil, resumeSaid()} {
		hello := NewHello(wishes(), resume)
		heard, err := DecodeHello(hello.Encode())
		if err != nil || !reflect.DeepEqual(heard, hello) {
			t.Errorf("said %+v, heard %+v (%v)", hello, heard, err)
		}
	}
	welcome, err := DecodeWelcome(welcomeSaid().Encode())
	if err != nil || !reflect.DeepEqual(welcome, welcomeSaid()) {
		t.Errorf("said %+v, heard %+v (%v)", welcomeSaid(), welcome, err)
	}
	refusal := &Refusal{Code: LaneClosed, Text: "lane 7 ends: attach anew", Limit: 7}
	heard, err := DecodeNotice(refusal.Encode())
	if err != nil || heard.Kind != KindRefused || !reflect.DeepEqual(heard.Refusal, refusal) {
		t.Errorf("said %+v, heard %+v (%v)", refusal, heard, err)
	}
}

func TestEveryOtherLengthIsAnError(t *testing.T) {
	for name, entry := range said() {
		for length := range entry.message {
			if _, err := entry.decode(entry.message[:length]); err == nil {
				t.Errorf("%s of %d bytes passed, its %d are right", name, length, len(entry.message))
			}
		}
		for _, more := range []int{1, 2, 24, 4096} {
			if _, err := entry.decode(append(bytes.Clone(entry.message), make([]byte, more)...)); err == nil {
				t.Errorf("%s passed with %d bytes more", name, more)
			}
		}
	}
}

// A changed byte is either an error or means something that is said with exactly these bytes: no byte is
// looked past. (REFUSED has one form in all versions, so its version says nothing.)
func TestNoByteIsLookedPast(t *testing.T) {
	for name, entry := range said() {
		before, err := entry.decode(entry.message)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for offset := range entry.message {
			if name == "REFUSED" && offset/4*4 == versionOffset {
				continue
			}
			changed := bytes.Clone(entry.message)
			changed[offset] ^= 1
			if after, err := entry.decode(changed); err == nil && reflect.DeepEqual(before, after) {
				t.Errorf("%s: byte %d was looked past", name, offset)
			}
		}
	}
}

func TestEveryFormErrorIsAMessageError(t *testing.T) {
	cases := map[string]struct {
		decode  func([]byte) (any, error)
		message []byte
	}{
		"nothing":      {said()["HELLO"].decode, nil},
		"another tool": {said()["WELCOME"].decode, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
		"another step": {said()["READY"].decode, EncodeStep(KindMapped)},
		"no notice":    {said()["DETACH"].decode, EncodeStep(KindReady)},
		"no lanes":     {said()["RESUME"].decode, NewHello(Wishes{}, &Resume{}).Encode()},
		"highest below lowest": {said()["HELLO"].decode,
			(&Hello{Lowest: 2, Highest: 1, Wishes: wishes()}).Encode()},
	}
	for name, c := range cases {
		_, err := c.decode(c.message)
		var wrong *MessageError
		if !errors.As(err, &wrong) || wrong.Error() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALongRefusalIsCutBetweenCharacters(t *testing.T) {
	heard, err := DecodeRefused((&Refusal{Code: Role, Text: "a" + strings.Repeat("ü", 400)}).Encode())
	if err != nil || heard.Text != "a"+strings.Repeat("ü", 255) {
		t.Errorf("%q, %v", heard, err)
	}
}

func TestARefusalCannotWriteOnATerminal(t *testing.T) {
	heard, err := DecodeRefused((&Refusal{Code: 999, Text: "no\x1b[2J\n\xff"}).Encode())
	if err != nil || heard.Text != "no [2J \uFFFD" || heard.Code != 999 {
		t.Errorf("%q, %v", heard, err)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("n", NameBytes)
	for name, fits := range map[string]bool{"": true, "hunt": true, "Jäger": true, long: true,
		long + "n": false,
		"a\x00b":   false, "tab\t": false, "\xff": false} {
		if FitsName(name) != fits {
			t.Errorf("FitsName(%q) is %v", name, !fits)
		}
	}
	full := wishes()
	full.Service = long
	if heard, err := DecodeHello(NewHello(full, nil).Encode()); err != nil || heard.Wishes.Service != long {
		t.Errorf("a name of 64 bytes: %v", err)
	}
}
