//go:build race

package witness

// The race detector takes terabytes of address space for itself, of which it uses little.
const memoryLimit = 0
