// Package rivals echoes the same payload over what a Go service would use otherwise: unary gRPC on a Unix
// socket, and a call into C. It is a module of its own, so that the binding keeps no dependency.
//
//	go test -bench .             the rivals, with percentiles and allocations
//	ironhoard bench go           gRPC beside Client.Call, in two processes, in one run
package rivals
