package hunt

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestRecordsOfAnotherSizeAreRefusedAndChangeNothing(t *testing.T) {
	move, reply := Move{Player: 7}, Reply{Player: 8}
	for _, size := range []int{0, 31, 33, 47, 49} {
		var wrong *SizeError
		if err := move.UnmarshalBinary(make([]byte, size)); !errors.As(err, &wrong) || wrong.Size != size {
			t.Errorf("a move of %d bytes: %v", size, err)
		}
		if err := reply.UnmarshalBinary(make([]byte, size)); !errors.As(err, &wrong) || wrong.Want != ReplySize {
			t.Errorf("a reply of %d bytes: %v", size, err)
		}
	}
	if move.Player != 7 || reply.Player != 8 {
		t.Errorf("changed to %v and %v", move, reply)
	}
}

func TestUnknownMarksAreRefused(t *testing.T) {
	for _, at := range []struct{ offset, value int }{{30, 4}, {30, 0x80}, {31, 1}} {
		b := make([]byte, ReplySize)
		b[at.offset] = byte(at.value)
		reply := Reply{Player: 8}
		if err := reply.UnmarshalBinary(b); !errors.Is(err, ErrMarks) || reply.Player != 8 {
			t.Errorf("byte %d = %#x: %v, %v", at.offset, at.value, err, reply)
		}
	}
}

func TestCodesBeyondTheTableHaveNumbers(t *testing.T) {
	if c := Code(0xff00); c.IsKnown() || c.String() != "code_65280" {
		t.Errorf("%v", c)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	secret := NewSecret([SecretSize]byte(bytes.Repeat([]byte{0xab}, SecretSize)))
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		shown := fmt.Sprintf(form, secret) + fmt.Sprintf(form, secret.Key(1))
		if strings.Contains(shown, "ab") || strings.Contains(shown, "171") {
			t.Errorf("%s shows %s", form, shown)
		}
	}
}

func TestDegrees(t *testing.T) {
	const radius = 637100880
	for _, c := range []struct {
		point               Point
		longitude, latitude float64
	}{
		{Point{X: radius}, 0, 0},
		{Point{Y: -radius}, -90, 0},
		{Point{Z: radius}, 0, 90},
		{Point{X: radius / 2, Y: radius / 2}, 45, 0},
	} {
		longitude, latitude := c.point.Degrees()
		if math.Abs(longitude-c.longitude) > 1e-6 || math.Abs(latitude-c.latitude) > 1e-6 {
			t.Errorf("%v is at %v, %v", c.point, longitude, latitude)
		}
	}
}

func FuzzMove(f *testing.F) {
	f.Add(make([]byte, MoveSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var move Move
		if err := move.UnmarshalBinary(b); err != nil {
			return
		}
		if back, _ := move.MarshalBinary(); !bytes.Equal(back, b) {
			t.Errorf("%x came back as %x", b, back)
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add(make([]byte, ReplySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var reply, again Reply
		if err := reply.UnmarshalBinary(b); err != nil {
			return
		}
		back, _ := reply.AppendBinary(nil)
		if err := again.UnmarshalBinary(back); err != nil || again != reply {
			t.Errorf("%+v came back as %+v, %v", reply, again, err)
		}
	})
}
