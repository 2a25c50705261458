package hunt

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// line is one line of the golden file: its first word, and its key=value words.
type line struct {
	number int
	what   string
	fields map[string]string
}

// golden reads the records that the Rust side wrote: testdata/hunt/records.txt of the repository.
func golden(t *testing.T) []line {
	t.Helper()
	file, err := os.Open("../../testdata/hunt/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []line
	scanner := bufio.NewScanner(file)
	for number := 1; scanner.Scan(); number++ {
		words := strings.Fields(scanner.Text())
		if words[0] == "#" {
			continue
		}
		fields := map[string]string{}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			fields[key] = value
		}
		lines = append(lines, line{number, words[0], fields})
	}
	if len(lines) < 20 {
		t.Fatalf("only %d golden lines", len(lines))
	}
	return lines
}

func (l line) integer(t *testing.T, key string) uint64 {
	t.Helper()
	value, err := strconv.ParseUint(l.fields[key], 10, 64)
	if err != nil {
		t.Fatalf("line %d, %s: %v", l.number, key, err)
	}
	return value
}

func (l line) signed(t *testing.T, key string) int32 {
	t.Helper()
	value, err := strconv.ParseInt(l.fields[key], 10, 32)
	if err != nil {
		t.Fatalf("line %d, %s: %v", l.number, key, err)
	}
	return int32(value)
}

func (l line) bytes(t *testing.T, key string) []byte {
	t.Helper()
	value, err := hex.DecodeString(l.fields[key])
	if err != nil || len(value) == 0 {
		t.Fatalf("line %d, %s: %v", l.number, key, err)
	}
	return value
}

func (l line) move(t *testing.T) Move {
	t.Helper()
	return Move{
		Player:   l.integer(t, "player"),
		Sequence: uint32(l.integer(t, "sequence")),
		TimeMS:   uint32(l.integer(t, "time_ms")),
		From:     uint32(l.integer(t, "from")),
		To:       uint32(l.integer(t, "to")),
		OffsetDM: uint16(l.integer(t, "offset_dm")),
		Kind:     uint8(l.integer(t, "kind")),
		Flags:    uint8(l.integer(t, "flags")),
		Treasure: uint32(l.integer(t, "treasure")),
		Tag:      [TagSize]byte(l.bytes(t, "tag")),
	}
}

func (l line) reply(t *testing.T) Reply {
	t.Helper()
	return Reply{
		Player:    l.integer(t, "player"),
		Sequence:  uint32(l.integer(t, "sequence")),
		TimeMS:    uint32(l.integer(t, "time_ms")),
		Place:     Point{X: l.signed(t, "x"), Y: l.signed(t, "y"), Z: l.signed(t, "z")},
		Placed:    l.fields["placed"] == "true",
		Strikes:   uint16(l.integer(t, "strikes")),
		Duplicate: l.fields["duplicate"] == "true",
	}
}

// TestGoldenRecords holds every record of this package against the bytes that Rust wrote, both ways.
func TestGoldenRecords(t *testing.T) {
	checks := map[string]func(*testing.T, line){
		"request": checkKind, "code": checkCode, "move": checkMove,
		"tag": checkTag, "seeded": checkSeeded, "reply": checkReply,
	}
	seen := map[string]int{}
	for _, l := range golden(t) {
		check, known := checks[l.what]
		if !known {
			t.Errorf("line %d: this package has no %q", l.number, l.what)
			continue
		}
		check(t, l)
		seen[l.what]++
	}
	for what := range checks {
		if seen[what] == 0 {
			t.Errorf("no golden line for %q", what)
		}
	}
	if seen["code"] != len(codeNames) {
		t.Errorf("%d golden codes, %d here", seen["code"], len(codeNames))
	}
}

func checkKind(t *testing.T, l line) {
	if l.fields["name"] != "move" || l.integer(t, "kind") != uint64(KindMove) {
		t.Errorf("line %d: another kind than KindMove", l.number)
	}
}

func checkCode(t *testing.T, l line) {
	code := Code(l.integer(t, "number"))
	if !code.IsKnown() || code.String() != l.fields["name"] {
		t.Errorf("line %d: code %d is %q here", l.number, code, code)
	}
}

func checkMove(t *testing.T, l line) {
	want, bytesWant := l.move(t), l.bytes(t, "bytes")
	if got, _ := want.MarshalBinary(); !bytes.Equal(got, bytesWant) {
		t.Errorf("line %d: encoded to %x", l.number, got)
	}
	var got Move
	if err := got.UnmarshalBinary(bytesWant); err != nil || got != want {
		t.Errorf("line %d: decoded to %+v, %v", l.number, got, err)
	}
}

func checkSigned(t *testing.T, l line, secret Secret) {
	key := secret.Key(l.integer(t, "player"))
	step, tag := l.bytes(t, "move"), l.bytes(t, "tag")
	key.Sign(step)
	if !bytes.Equal(step[signedSize:], tag) || !key.HasSigned(step) {
		t.Errorf("line %d: signed with %x", l.number, step[signedSize:])
	}
	for at := range step {
		step[at] ^= 0x80
		if key.HasSigned(step) {
			t.Errorf("line %d: byte %d does not count", l.number, at)
		}
		step[at] ^= 0x80
	}
}

func checkTag(t *testing.T, l line) {
	checkSigned(t, l, NewSecret([SecretSize]byte(l.bytes(t, "secret"))))
}

func checkSeeded(t *testing.T, l line) {
	checkSigned(t, l, SecretFromSeed(l.integer(t, "seed")))
}

func checkReply(t *testing.T, l line) {
	want, bytesWant := l.reply(t), l.bytes(t, "bytes")
	if got, _ := want.AppendBinary(nil); !bytes.Equal(got, bytesWant) {
		t.Errorf("line %d: encoded to %x", l.number, got)
	}
	var got Reply
	if err := got.UnmarshalBinary(bytesWant); err != nil || got != want {
		t.Errorf("line %d: decoded to %+v, %v", l.number, got, err)
	}
}
