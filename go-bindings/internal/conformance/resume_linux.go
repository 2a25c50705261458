//go:build linux && (amd64 || arm64)

package conformance

import (
	"os"
	"syscall"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Resuming: what the next engine takes up, and what it refuses.
var resumeTests = map[string]func(*testing.T, Start){
	"the next engine answers what the last did not": resumeTest,
	"resuming again and again":                      againTest,
	"a request that kills engines is poisoned":      poisonTest,
	"a stateful engine declines":                    declinedTest,
	"a region that is served is not resumed":        servedTest,
	"an impossible position is refused":             wrongRecordTest,
	"another memory is refused":                     wrongRegionTest,
	"another header is refused":                     wrongHeaderTest,
}

// introduce says RESUME for the epoch that follows, without waiting for the answer.
func (h *RawHost) introduce(path string, lanes ...wire.LaneResume) *RawHost {
	h.t.Helper()
	epoch := h.terms.Epoch + 1
	for lane := range lanes {
		word := h.request.Word(layout.ReplyPositionOffset(uint32(lane), epoch))
		word.Release(0)
	}
	h.writeHeader(epoch)
	return h.sayResume(path, &wire.Resume{HostID: h.terms.HostID, Epoch: epoch, Lanes: lanes}, h.requestFD)
}

// sayResume says RESUME with fd on a new conversation, which shares the old one's request region.
func (h *RawHost) sayResume(path string, resume *wire.Resume, fd int) *RawHost {
	h.t.Helper()
	next := connect(h.t, path)
	wanted := eventsOnly()
	if lanes := len(h.terms.LaneShards); lanes > 0 {
		wanted = wishes()
		wanted.Lanes = uint32(lanes)
	}
	next.say(wire.NewHello(wanted, resume).Encode(), fd)
	return next
}

// resume is a whole conversation. The request region is the new host's; its descriptor as well.
func (h *RawHost) resume(path string, lanes ...wire.LaneResume) *RawHost {
	h.t.Helper()
	next := h.introduce(path, lanes...)
	next.request, next.requestFD = h.request, h.requestFD
	h.request, h.requestFD = nil, -1
	h.close()
	if err := next.welcome(1); err != nil {
		h.t.Fatal(err)
	}
	if next.terms.HostID != h.terms.HostID || next.terms.Epoch != h.terms.Epoch+1 {
		h.t.Fatalf("resumed as %+v", next.terms)
	}
	if err := next.finish(); err != nil {
		h.t.Fatal(err)
	}
	return next
}

// goOn is the lane behind a resume: the producer goes on, replies begin at number in a new ring.
func (l *rawLane) goOn(next *RawHost, number uint64) *rawLane {
	l.host.t.Helper()
	fresh := next.lane(l.index, ring.Cursor{Number: number})
	l.requests.Rebind(next.reply.Word(layout.LaneControlOffset(l.index) + layout.LaneRequestPosition))
	fresh.requests = l.requests
	fresh.ring()
	return fresh
}

func resumeTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	for i := range 7 {
		l.call(KindEcho, make([]byte, i*20)) // records of one, two and three lines
	}
	at := l.requests.Cursor().Position
	engine.Freeze()
	for i := range 5 {
		if err := l.put(KindEcho, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	engine.Kill()
	h.hungUp()
	engine.Restart()
	l = l.goOn(h.resume(engine.Path(), wire.LaneResume{LastReply: 7, Position: at, Deaths: 1}), 8)
	for i := range 5 {
		if r := l.take(); r.Number != uint64(8+i) || r.Payload[0] != byte(i) {
			t.Fatalf("reply %d: %+v", 8+i, r)
		}
	}
	for i := range 300 {
		if r := l.call(KindEcho, make([]byte, i)); r.Number != uint64(13+i) || len(r.Payload) != i {
			t.Fatalf("request %d goes on as %d", 13+i, r.Number)
		}
	}
}

func againTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	for number := uint64(1); number <= 10; number++ {
		if r := l.call(KindEcho, []byte{byte(number)}); r.Number != number || r.Payload[0] != byte(number) {
			t.Fatalf("request %d: %+v", number, r)
		}
		engine.Kill()
		engine.Restart()
		claim := wire.LaneResume{LastReply: number, Position: l.requests.Cursor().Position}
		h = h.resume(engine.Path(), claim)
		l = l.goOn(h, number+1)
	}
}

func poisonTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	for _, kind := range []uint16{KindDie, KindEcho} {
		if err := l.put(kind, nil); err != nil {
			t.Fatal(err)
		}
	}
	for deaths := range uint32(2) {
		h.hungUp()
		engine.Restart()
		h = h.resume(engine.Path(), wire.LaneResume{Deaths: deaths + 1})
		l = l.goOn(h, 1)
	}
	if r := l.take(); r.Kind != layout.StatusPoison || r.Number != 1 {
		t.Errorf("after two deaths: %+v", r)
	}
	if r := l.take(); r.Kind != 0 || r.Number != 2 {
		t.Errorf("the request behind it: %+v", r)
	}
}

// orphan is a host whose engine was killed and replaced.
func orphan(t *testing.T, engine Engine) *RawHost {
	t.Helper()
	h := attach(t, engine.Path(), wishes())
	h.lane(0, ring.Start).call(KindEcho, nil)
	engine.Kill()
	h.hungUp()
	engine.Restart()
	return h
}

func declinedTest(t *testing.T, start Start) {
	engine := start(t, "state=yes")
	h := orphan(t, engine)
	h.introduce(engine.Path(), wire.LaneResume{LastReply: 1, Position: 64}).refused(wire.ResumeDeclined)
	attach(t, engine.Path(), wishes())
}

func servedTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	h.introduce(engine.Path(), wire.LaneResume{}).refused(wire.ResumeServed)
	claim := wire.LaneResume{LastReply: 1, Position: 64}
	resumed := orphan(t, engine).resume(engine.Path(), claim)
	resumed.introduce(engine.Path(), claim).refused(wire.ResumeServed)
}

func wrongRecordTest(t *testing.T, start Start) {
	engine := start(t)
	h := orphan(t, engine)
	for _, position := range []uint64{1, 63, 65} {
		claim := wire.LaneResume{LastReply: 1, Position: position}
		h.introduce(engine.Path(), claim).refused(wire.ResumeRecord)
	}
	words := h.request.Words(layout.RingOffset(1, 0, 4096), 4096)
	words.Publish(64, 2<<32|5) // where request 2 is due: its number, and a length that cannot be
	h.introduce(engine.Path(), wire.LaneResume{LastReply: 1, Position: 64}).refused(wire.ResumeRecord)
	words.Publish(64, 0)
	h.resume(engine.Path(), wire.LaneResume{LastReply: 1, Position: 64})
}

func wrongRegionTest(t *testing.T, start Start) {
	engine := start(t)
	h := orphan(t, engine)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat syscall.Stat_t
	if err := syscall.Fstat(h.requestFD, &stat); err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(stat.Size); err != nil {
		t.Fatal(err)
	}
	lanes := []wire.LaneResume{{LastReply: 1, Position: 64}}
	claim := &wire.Resume{HostID: h.terms.HostID, Epoch: 2, Lanes: lanes}
	h.writeHeader(2)
	for _, fd := range []int{int(file.Fd()), 0} {
		h.sayResume(engine.Path(), claim, fd).refused(wire.ResumeRegion)
	}
}

func wrongHeaderTest(t *testing.T, start Start) {
	engine := start(t)
	h := orphan(t, engine)
	lanes := []wire.LaneResume{{LastReply: 1, Position: 64}}
	h.writeHeader(2)
	for _, claim := range []*wire.Resume{
		{HostID: h.terms.HostID, Epoch: 3, Lanes: lanes}, {HostID: h.terms.HostID + 1, Epoch: 2, Lanes: lanes},
	} {
		h.sayResume(engine.Path(), claim, h.requestFD).refused(wire.ResumeRegion)
	}
	first := &wire.Resume{HostID: h.terms.HostID, Epoch: 1, Lanes: lanes}
	h.sayResume(engine.Path(), first, h.requestFD).refused(wire.Malformed)
	h.resume(engine.Path(), lanes[0])
}
