//go:build !race

package witness

// memoryLimit is the limit on a child's address space, in bytes; 0 is none.
const memoryLimit = maxMemory
