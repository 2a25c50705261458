package ring

import "testing"

func TestEveryLengthWithTheExpectedNumberHasOneMeaning(t *testing.T) {
	for length := uint64(1); length <= 400; length++ {
		want := IsCorrupt
		if length >= 16 && length <= 64 {
			want = IsRecord
		}
		what, payload, why := Judge(7<<32|length, 7, 64, 1024, 128)
		if what != want || what == IsRecord && uint64(payload) != length-16 || (why != "") != (what == IsCorrupt) {
			t.Errorf("length %d: meaning %d, payload %d, %q", length, what, payload, why)
		}
	}
}

func TestOldHeadersAndZeroAreEmpty(t *testing.T) {
	for _, c := range []struct{ word, number uint64 }{
		{0, 7}, {0, 1 << 32}, {recordWord(48, 6), 7}, {recordWord(48, 8), 7}, {7 << 32, 7},
	} {
		if what, _, _ := Judge(c.word, c.number, 1024, 1024, 128); what != IsEmpty {
			t.Errorf("word %#x where %d is expected: meaning %d", c.word, c.number, what)
		}
	}
}

func TestPaddingEndsAtTheEndAndNeverStartsAtTheBeginning(t *testing.T) {
	if what, bytes, _ := Judge(paddingWord(64, 7), 7, 64, 1024, 128); what != IsPadding || bytes != 64 {
		t.Errorf("a right padding: meaning %d, %d bytes", what, bytes)
	}
	for _, bytes := range []uint64{0, 63, 65, 128, 1 << 30} {
		if what, _, _ := Judge(paddingWord(bytes, 7), 7, 64, 1024, 128); what != IsCorrupt {
			t.Errorf("a padding of %d bytes: meaning %d", bytes, what)
		}
	}
	if what, _, _ := Judge(paddingWord(1024, 7), 7, 1024, 1024, 128); what != IsCorrupt {
		t.Errorf("a padding of the whole ring: meaning %d", what)
	}
}
