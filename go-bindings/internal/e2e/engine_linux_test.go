//go:build linux && (amd64 || arm64)

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/conformance"
)

// built is the engine's binary, or why there is none.
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("IRONHOARD_CONFORMANCE_ENGINE"); path != "" {
		return path, nil
	}
	if _, err := exec.LookPath("cargo"); err != nil {
		return "", fmt.Errorf("no Rust engine to test against: %w", err)
	}
	cargo := exec.Command("cargo", "build", "--release", "-p", "ironhoard", "--example", "conformance_engine",
		"--message-format=json-render-diagnostics")
	cargo.Dir = "../../.."
	cargo.Stderr = os.Stderr
	output, err := cargo.Output()
	if err != nil {
		return "", fmt.Errorf("building the Rust engine: %w", err)
	}
	return executable(output)
})

// executable finds the binary in what cargo says.
func executable(output []byte) (string, error) {
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		var artifact struct {
			Executable string
			Target     struct{ Name string }
		}
		if json.Unmarshal(lines.Bytes(), &artifact) == nil && artifact.Target.Name == "conformance_engine" &&
			artifact.Executable != "" {
			return artifact.Executable, nil
		}
	}
	return "", errors.New("cargo names no binary of conformance_engine")
}

// TestMain builds the engine before any test's time runs. Where it is not there by choice, tests are
// skipped aloud; where it should be there and is not, they fail.
func TestMain(m *testing.M) {
	if _, err := built(); err != nil {
		fmt.Fprintf(os.Stderr, "SKIPPED: all tests of this package: %v\n", err)
		if !errors.Is(err, exec.ErrNotFound) {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// rust is an engine process.
type rust struct {
	t        *testing.T
	path     string
	settings []string
	command  *exec.Cmd
	stdin    io.WriteCloser
}

// startRust starts the engine in Rust for the time of a test.
func startRust(t *testing.T, settings ...string) conformance.Engine { return newRust(t, settings...) }

func newRust(t *testing.T, settings ...string) *rust {
	t.Helper()
	if _, err := built(); err != nil {
		t.Skip(err)
	}
	directory, err := os.MkdirTemp("", "ih-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	e := &rust{t: t, path: filepath.Join(directory, "s"), settings: settings}
	t.Cleanup(func() {
		e.Kill()
		os.RemoveAll(directory)
	})
	e.Restart()
	return e
}

func (e *rust) Path() string { return e.path }

// Restart starts a process at the path, when the last one is gone, and waits until it listens.
func (e *rust) Restart() {
	e.t.Helper()
	e.await()
	binary, err := built()
	if err != nil {
		e.t.Fatal(err)
	}
	command := exec.Command(binary, append([]string{e.path}, e.settings...)...)
	command.Stderr = io.Discard // panics that were asked for
	stdin, err := command.StdinPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.command, e.stdin = command, stdin
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening at") {
		e.t.Fatalf("the engine says %q: %v", line, err)
	}
}

// await waits for the end of a process that is ending.
func (e *rust) await() {
	if e.command != nil {
		_ = e.command.Wait() // killed or aborted: an error, and what was wanted
		e.command = nil
	}
}

func (e *rust) Kill() {
	if e.command != nil {
		_ = e.command.Process.Kill()
		e.await()
	}
}

func (e *rust) Halt() {
	e.t.Helper()
	if e.command == nil {
		return
	}
	e.stdin.Close()
	if err := e.command.Wait(); err != nil {
		e.t.Errorf("an engine that was asked to halt: %v", err)
	}
	e.command = nil
}

func (e *rust) Freeze() {
	e.signal(syscall.SIGSTOP)
	for e.state() != "T" {
		time.Sleep(100 * time.Microsecond)
	}
}

func (e *rust) Thaw() { e.signal(syscall.SIGCONT) }

func (e *rust) signal(signal os.Signal) {
	e.t.Helper()
	if err := e.command.Process.Signal(signal); err != nil {
		e.t.Fatal(err)
	}
}

// state is the letter in /proc/PID/stat.
func (e *rust) state() string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.command.Process.Pid))
	if err != nil {
		e.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

// Descriptors are those open in the process.
func (e *rust) Descriptors() int {
	e.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.command.Process.Pid))
	if err != nil {
		e.t.Fatal(err)
	}
	return len(entries)
}
