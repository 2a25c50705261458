//go:build linux && (amd64 || arm64)

package enginetest_test

import (
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/conformance"
)

func TestConformance(t *testing.T) { conformance.Run(t, conformance.InProcess) }

func TestTheGoHost(t *testing.T) { conformance.RunClient(t, conformance.InProcess) }
