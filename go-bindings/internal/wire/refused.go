package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code says why an engine refused, for programs.
type Code uint32

// The codes of REFUSED. A code that is none of these comes from a later version: its text says what to do.
const (
	// Malformed: a message is not what its version says.
	Malformed Code = 1
	// NoVersion: no layout version in common.
	NoVersion Code = 2
	// Feature: a feature that must be understood is not.
	Feature Code = 3
	// Role: a role that this engine does not attach.
	Role Code = 4
	// Service: another service or version of it.
	Service Code = 5
	// UID: the uid is not on the allow-list.
	UID Code = 6
	// Hosts: the engine serves as many hosts as it may.
	Hosts Code = 7
	// HostsPerUID: this uid has as many hosts as it may.
	HostsPerUID Code = 8
	// MemoryPerUID: this uid has as much memory as it may.
	MemoryPerUID Code = 9
	// Lanes: no lanes, or too many.
	Lanes Code = 10
	// Capacity: a capacity that cannot be, or is too large.
	Capacity Code = 11
	// Pages: 2 MiB pages were demanded and cannot be had.
	Pages Code = 12
	// EventRings: this engine has no event rings.
	EventRings Code = 13
	// Silence: the host said nothing for too long.
	Silence Code = 14
	// Draining: the engine is leaving; resume with the next one.
	Draining Code = 15
	// Resources: the engine got no memory, descriptors or the like.
	Resources Code = 16
	// Region: the request region is not as it was handed out.
	Region Code = 17
	// ResumeDeclined: the handler's state died with the last engine.
	ResumeDeclined Code = 18
	// ResumeServed: this request region is being served already.
	ResumeServed Code = 19
	// ResumeRegion: the descriptor is not a request region of this host.
	ResumeRegion Code = 20
	// ResumeRecord: request R + 1 cannot stand where a lane says.
	ResumeRecord Code = 21
	// Internal: a defect of the engine.
	Internal Code = 22
	// Gone is never sent: the engine's own word for a host that hung up.
	Gone Code = 23
	// LaneClosed: after READY, the lane whose number is the limit is closed for ever.
	LaneClosed Code = 24
)

// Refusal is REFUSED: no, and why. It is an error for the caller who was refused.
type Refusal struct {
	// Code is why, for programs.
	Code Code
	// Text is why, and what to do, for people: at most 512 bytes travel.
	Text string
	// Limit is the number that would have been accepted, or 0; for LaneClosed the number of the lane.
	Limit uint64
}

func (r *Refusal) Error() string { return r.Text }

// Encode is the message. A longer text is cut between characters.
func (r *Refusal) Encode() []byte {
	text := shortened(r.Text)
	w := newWriter(KindRefused, Version, refusedText+len(text))
	w.u32(refusedCode, uint32(r.Code))
	w.u32(refusedTextBytes, uint32(len(text)))
	w.u64(refusedLimit, r.Limit)
	copy(w[refusedText:], text)
	return w
}

// DecodeRefused reads REFUSED of any version (its form never changes): *MessageError where its form is
// wrong. Characters that could confuse a terminal come as spaces.
func DecodeRefused(message []byte) (*Refusal, error) {
	head, err := HeadOf(message)
	if err != nil {
		return nil, err
	}
	if head.Kind != KindRefused {
		return nil, malformed("a message of kind %d came where REFUSED was expected", head.Kind)
	}
	r, err := newReader(message, max(len(message), refusedBytes))
	if err != nil {
		return nil, err
	}
	refusal := &Refusal{Code: Code(r.u32(refusedCode)), Limit: r.u64(refusedLimit)}
	stated, found := r.u32(refusedTextBytes), len(message)-refusedText
	if uint64(stated) != uint64(found) || found > refusedMostText {
		return nil, meaningless("text bytes", uint64(stated))
	}
	refusal.Text = strings.Map(printable, strings.ToValidUTF8(string(r.bytes(refusedText, found)), "\uFFFD"))
	if err := r.finish(); err != nil {
		return nil, err
	}
	return refusal, nil
}

func printable(char rune) rune {
	if unicode.IsControl(char) {
		return ' '
	}
	return char
}

// shortened is as much of text as REFUSED may carry, cut between characters.
func shortened(text string) string {
	if len(text) <= refusedMostText {
		return text
	}
	end := refusedMostText
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// Notice is a word said after READY: DRAINING, DETACH or REFUSED.
type Notice struct {
	// Kind is KindDraining, KindDetach or KindRefused.
	Kind Kind
	// Refusal is set where Kind is KindRefused.
	Refusal *Refusal
}

// DecodeNotice reads a word said after READY: *MessageError where it is none.
func DecodeNotice(message []byte) (Notice, error) {
	head, err := HeadOf(message)
	if err != nil {
		return Notice{}, err
	}
	switch head.Kind {
	case KindDraining, KindDetach:
		return Notice{Kind: head.Kind}, DecodeStep(message, head.Kind)
	case KindRefused:
		refusal, err := DecodeRefused(message)
		return Notice{Kind: head.Kind, Refusal: refusal}, err
	}
	return Notice{}, malformed("a message of kind %d came where DRAINING, DETACH or REFUSED was expected",
		head.Kind)
}
