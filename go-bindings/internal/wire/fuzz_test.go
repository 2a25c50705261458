package wire

import (
	"bytes"
	"testing"
)

// FuzzMessages gives any bytes to every decoder. None may panic, and what is understood is said again with
// the same bytes: so nothing that was sent is lost or read twice.
func FuzzMessages(f *testing.F) {
	for _, entry := range said() {
		f.Add(entry.message)
	}
	f.Add([]byte("IHRD"))
	f.Fuzz(func(t *testing.T, message []byte) {
		again := func(name string, said []byte) {
			if !bytes.Equal(said, message) {
				t.Errorf("%s is said again with other bytes:\n%x\n%x", name, message, said)
			}
		}
		if hello, err := DecodeHello(message); err == nil {
			again("HELLO", hello.Encode())
		}
		if welcome, err := DecodeWelcome(message); err == nil {
			again("WELCOME", welcome.Encode())
		}
		for kind := KindHello; kind <= KindDetach; kind++ {
			if DecodeStep(message, kind) == nil {
				again(kind.String(), EncodeStep(kind))
			}
		}
		if notice, err := DecodeNotice(message); err == nil && notice.Kind == KindRefused {
			if _, err := DecodeRefused(notice.Refusal.Encode()); err != nil {
				t.Errorf("a refusal that was understood cannot be passed on: %v", err)
			}
		}
	})
}
