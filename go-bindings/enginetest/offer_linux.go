//go:build linux && (amd64 || arm64)

package enginetest

import (
	"fmt"
	"math/rand/v2"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// offer is what the engine makes for a host: two regions and the doorbells, and the order in which they are
// mapped, sealed and handed out.
//
// The order is the protection. The reply region is mapped by us, closed to other writers, and only then
// leaves; the request region leaves open, is mapped by the host, closed, and only then believed.
type offer struct {
	terms      wire.Welcome
	newRequest *memoryFile // nil where the host resumes
	request    *region.Mapping
	reply      *region.Mapping
	doorbells  []*doorbell
	toHost     []int // descriptors for WELCOME, in its order; closed when it is said
	lent       []int // those of the event rings, behind them; the life's
}

// drop gives back all that was taken, where the conversation ended badly.
func (o *offer) drop() {
	o.closeToHost()
	if o.newRequest != nil {
		o.newRequest.close()
	}
	for _, mapping := range []*region.Mapping{o.request, o.reply} {
		if mapping != nil {
			mapping.Release()
		}
	}
	for _, bell := range o.doorbells {
		bell.close()
	}
}

func (o *offer) closeToHost() {
	for _, fd := range o.toHost {
		syscall.Close(fd)
	}
	o.toHost = nil
}

// prepare makes everything that WELCOME offers. What was made before a refusal is in the offer, to be
// dropped. kept is the request region of a host that resumes, -1 otherwise; it stays the caller's.
func (l *life) prepare(o *offer, hello *wire.Hello, kept int) *wire.Refusal {
	wishes, s := &hello.Wishes, &l.settings
	o.terms = wire.Welcome{
		HostID: rand.Uint64(), Epoch: 1, Shards: s.shards,
		RequestCapacity: wishes.RequestCapacity, ReplyCapacity: wishes.ReplyCapacity,
		Membarrier: wishes.Membarrier && s.membarrier, Service: s.service, ServiceVersion: s.version,
		LaneShards: l.deal(wishes.Lanes),
	}
	var refusal *wire.Refusal
	if hello.Resume != nil {
		o.terms.HostID, o.terms.Epoch = hello.Resume.HostID, hello.Resume.Epoch
		refusal = o.takeOver(hello, kept)
	} else {
		refusal = o.makeRequest(wishes)
	}
	if refusal == nil {
		refusal = o.makeReply(hello)
	}
	if refusal == nil {
		refusal = o.makeDoorbells()
	}
	if granted, ok := s.grantEvents(wishes.EventRings); ok {
		l.events.offer(o, granted)
	}
	o.terms.Descriptors = uint32(len(o.toHost) + len(o.lent))
	return refusal
}

func (o *offer) makeRequest(wishes *wire.Wishes) *wire.Refusal {
	bytes := layout.RegionBytes(wishes.Lanes, wishes.RequestCapacity)
	file, err := createMemory("ironhoard-request", bytes, wishes.Pages)
	if err != nil {
		return notAllocated(err, wishes.Pages)
	}
	o.newRequest, o.terms.RequestBytes, o.terms.RequestPages = file, file.bytes, file.pages
	if err := file.seal(int(region.SizeSealed)); err != nil {
		return notAllocated(err, wishes.Pages)
	}
	fd, err := syscall.Open(fmt.Sprintf("/proc/self/fd/%d", file.fd), syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return notAllocated(err, wishes.Pages)
	}
	o.toHost = append(o.toHost, fd)
	return nil
}

// makeReply makes the reply region, writes what must stand there before the host looks, and closes it to
// all other writers before its descriptor leaves.
func (o *offer) makeReply(hello *wire.Hello) *wire.Refusal {
	wishes := &hello.Wishes
	bytes := layout.RegionBytes(wishes.Lanes, wishes.ReplyCapacity)
	file, err := createMemory("ironhoard-reply", bytes, wishes.Pages)
	if err != nil {
		return notAllocated(err, wishes.Pages)
	}
	defer file.close()
	o.terms.ReplyBytes, o.terms.ReplyPages = file.bytes, file.pages
	if o.reply, err = region.ReadWrite(file.fd, file.bytes); err != nil {
		return notAllocated(err, wishes.Pages)
	}
	if err := file.seal(int(region.WriteSealed)); err != nil {
		return notAllocated(err, wishes.Pages)
	}
	if hello.Resume != nil {
		for lane, said := range hello.Resume.Lanes {
			word := o.reply.Word(layout.LaneControlOffset(uint32(lane)) + layout.LaneRequestPosition)
			word.Release(said.Position)
		}
	}
	o.reply.WriteHeader(o.header(layout.RoleReply))
	fd, err := file.readOnly()
	if err != nil {
		return notAllocated(err, wishes.Pages)
	}
	o.toHost = append(o.toHost, fd)
	return nil
}

func (o *offer) makeDoorbells() *wire.Refusal {
	for range o.terms.Shards {
		bell, end, err := newDoorbell()
		if err != nil {
			return refuse(wire.Resources, "the engine cannot make its doorbells (%v): "+
				"raise its limit on open files", err)
		}
		o.doorbells = append(o.doorbells, bell)
		o.toHost = append(o.toHost, end)
	}
	return nil
}

// open closes a new request region to all writers but the host's mapping, and only then believes in it.
func (o *offer) open() *wire.Refusal {
	if o.newRequest != nil {
		file := o.newRequest
		err := file.seal(int(region.WriteSealed))
		if err == nil {
			_, err = region.Check(file.fd, file.bytes, region.WriteSealed)
		}
		if err == nil {
			o.request, err = region.ReadOnly(file.fd, file.bytes)
		}
		if err != nil {
			return refuse(wire.Region, "the request region is not as it was handed out: %v", err)
		}
	}
	expected := o.header(layout.RoleRequest)
	if found, ok := o.request.ReadHeader(); !ok || found != expected {
		return refuse(wire.Region, "the header of the request region is %+v and must be %+v: write it before "+
			"MAPPED, its magic word last", found, expected)
	}
	return nil
}

func (o *offer) header(role uint32) region.Header {
	return region.Header{Version: layout.Version, Role: role, HostID: o.terms.HostID, Epoch: o.terms.Epoch}
}

func notAllocated(err error, pages wire.PageMode) *wire.Refusal {
	code := wire.Resources
	if pages == wire.PagesRequireHuge {
		code = wire.Pages
	}
	return refuse(code, "%v", err)
}

// takeOver checks the request region that a host resumes with, and maps it. There is no token: who holds the
// region owns it. So everything else is demanded.
func (o *offer) takeOver(hello *wire.Hello, kept int) *wire.Refusal {
	wrong := func(err error) *wire.Refusal {
		return refuse(wire.ResumeRegion, "the descriptor is not the request region of this host: %v", err)
	}
	wishes := &hello.Wishes
	var stat syscall.Stat_t
	if err := syscall.Fstat(kept, &stat); err != nil {
		return wrong(err)
	}
	bytes, pages := uint64(stat.Size), wire.PagesSmall4K
	needed := layout.RegionBytes(wishes.Lanes, wishes.RequestCapacity)
	small, huge := (needed+smallPage-1)&^(smallPage-1), (needed+hugePage-1)&^(hugePage-1)
	if bytes != small && bytes != huge {
		return wrong(fmt.Errorf("it has %d bytes and must have %d", bytes, small))
	}
	fromPool, err := region.Check(kept, bytes, region.WriteSealed)
	if err != nil {
		return wrong(err)
	}
	if fromPool {
		pages = wire.PagesHuge2M
	}
	if o.request, err = region.ReadOnly(kept, bytes); err != nil {
		return wrong(err)
	}
	o.terms.RequestBytes, o.terms.RequestPages = bytes, pages
	expected := o.header(layout.RoleRequest)
	if found, ok := o.request.ReadHeader(); !ok || found != expected {
		return refuse(wire.ResumeRegion, "the header of the request region is %+v and must be %+v: write the new "+
			"epoch before RESUME", found, expected)
	}
	for lane, said := range hello.Resume.Lanes {
		if refusal := checkResumed(o.request, wishes, uint32(lane), said); refusal != nil {
			return refusal
		}
	}
	return nil
}
