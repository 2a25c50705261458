//go:build !linux

// Package region is sealed memory in this process's address space. There is none on this system.
package region

import "github.com/ironhoard/ironhoard/go-bindings/internal/memory"

// Mapping is a shared mapping of a whole region; there is none on this system.
type Mapping struct{}

// Header is what stands at the beginning of a region behind the magic word.
type Header struct {
	Version, Role uint32
	HostID, Epoch uint64
}

// Retain does nothing on this system.
func (m *Mapping) Retain() {}

// Release does nothing on this system.
func (m *Mapping) Release() {}

// Words are none on this system.
func (m *Mapping) Words(_, _ uint64) memory.Words { return memory.Words{} }

// Word is none on this system.
func (m *Mapping) Word(uint64) memory.Word { return memory.Word{} }

// ReadHeader finds none on this system.
func (m *Mapping) ReadHeader() (Header, bool) { return Header{}, false }
