// Package book reads a member's documents as what ranking knows of people. It stands on crdt and ranking, and both devices and
// the server read with it, so that there is one way of doing so: what a device shows, and what the server learns from, are
// the same facts to the byte.
//
//	profile   ──> Calendar ──────────────┐
//	contacts  ──> Card, Merges, Group ───┤
//	log-*     ──> Note ──> Events ───────┴──> Person: ranking.Facts, and the acts on suggestions
//
// Which value of a register wins, which entries there are and where they are kept is the caller's: rows of SQLite on a
// device, one member's registers in memory on the server.
//
// It has no clock and keeps nothing. What it is given may be anything: what cannot be read says nothing.
package book
