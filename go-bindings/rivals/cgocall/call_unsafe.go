//go:build cgo

// Package cgocall echoes through a call into C: what it costs to cross that border, without any engine
// behind it.
package cgocall

/*
#include <stddef.h>
#include <string.h>

static void echo(void *reply, const void *request, size_t bytes) { memcpy(reply, request, bytes); }
*/
import "C"

import "unsafe"

// Echo copies request to reply, which is at least as long, in C.
func Echo(reply, request []byte) {
	to, from := unsafe.Pointer(unsafe.SliceData(reply)), unsafe.Pointer(unsafe.SliceData(request))
	C.echo(to, from, C.size_t(len(request)))
}
