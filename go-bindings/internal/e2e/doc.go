// Package e2e holds the tests of the Go host against the Rust engine in real processes. It has nothing but
// tests.
//
// They build examples/conformance_engine.rs with cargo, or take the binary that the variable
// IRONHOARD_CONFORMANCE_ENGINE names. Without cargo they are skipped, and say so. IRONHOARD_SOAK is how long
// the soak lasts, such as 10m; 20 s where nobody says otherwise.
package e2e
