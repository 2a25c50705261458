//go:build !race

package ironhoard_test

const raceDetector = false
