package ring

import "testing"

func TestEveryLengthWithTheExpectedNumberHasOneMeaning(t *testing.T) {
	for length := uint64(1); length <= 400; length++ {
		want := isCorrupt
		if length >= 16 && length <= 64 {
			want = isRecord
		}
		what, payload, why := judge(7<<32|length, 7, 64, 1024, 128)
		if what != want || what == isRecord && uint64(payload) != length-16 || (why != "") != (what == isCorrupt) {
			t.Errorf("length %d: meaning %d, payload %d, %q", length, what, payload, why)
		}
	}
}

func TestOldHeadersAndZeroAreEmpty(t *testing.T) {
	for _, c := range []struct{ word, number uint64 }{
		{0, 7}, {0, 1 << 32}, {recordWord(48, 6), 7}, {recordWord(48, 8), 7}, {7 << 32, 7},
	} {
		if what, _, _ := judge(c.word, c.number, 1024, 1024, 128); what != isEmpty {
			t.Errorf("word %#x where %d is expected: meaning %d", c.word, c.number, what)
		}
	}
}

func TestPaddingEndsAtTheEndAndNeverStartsAtTheBeginning(t *testing.T) {
	if what, bytes, _ := judge(paddingWord(64, 7), 7, 64, 1024, 128); what != isPadding || bytes != 64 {
		t.Errorf("a right padding: meaning %d, %d bytes", what, bytes)
	}
	for _, bytes := range []uint64{0, 63, 65, 128, 1 << 30} {
		if what, _, _ := judge(paddingWord(bytes, 7), 7, 64, 1024, 128); what != isCorrupt {
			t.Errorf("a padding of %d bytes: meaning %d", bytes, what)
		}
	}
	if what, _, _ := judge(paddingWord(1024, 7), 7, 1024, 1024, 128); what != isCorrupt {
		t.Errorf("a padding of the whole ring: meaning %d", what)
	}
}
