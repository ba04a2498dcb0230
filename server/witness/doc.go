// Package witness has another engine say what is in a document: automerge-go, the official one of 2023, for an operator who
// wants to hear it from somebody else than us.
//
// # The room
//
// Witness is the side of trio verify --reference: it hands a document over and compares heads and values. Main is the other
// side, in a process of its own that is the same program under a hidden command, with limits on memory and time. The
// engine is C below and ends its process on much that is wrong with bytes: such an end is that document's finding, and the
// next one goes to a new process.
//
// # What it never does
//
// Nothing that serves imports it: no byte of a network reaches the engine. Only changes that our own checks have passed
// before are handed over. Programs that are built without cgo have no such engine and say so.
package witness
