//go:build linux && (amd64 || arm64)

package e2e

import (
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/conformance"
)

func TestConformanceOfTheRustEngine(t *testing.T) { conformance.Run(t, startRust) }

func TestTheGoHostAtTheRustEngine(t *testing.T) { conformance.RunClient(t, startRust) }
