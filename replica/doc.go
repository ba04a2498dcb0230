// Package replica is the device: a member's documents as rows of an embedded SQLite database, the projections that
// screens read, the commands that a person gives, and the syncer that brings them to a server.
//
// SQLite is the document. A change is a row and a register (one visible value of one key) is a row; both are written
// with the projection rows in one transaction, with the disk synced, before a command returns. Nothing is loaded at
// start and memory does not grow with history.
//
// What the server has is folded (Compact): the beginning of the member's order lies in segments, at a tenth of the room
// or less, from which every change comes back as it was; only newer changes, and those that are only here, have rows.
//
// What it promises:
//
//   - A command that returned is on disk: no crash, no power cut and no server takes it back.
//   - Everything but `changes` and `segments` can be rebuilt from them (Rebuild), and the rebuilt rows equal the
//     incremental ones.
//   - Equal changes give equal rows and the same three suggestions on every device, whatever the order of arrival.
//   - "Only on this phone" (Unsent) is exactly what no receipt covers, refused changes included, with the reason.
//
// What it never does: wait for the network in a command or a query, resolve an edit by a clock, drop what it does not
// understand (it is kept and relayed), or show the same suggestion after it was done elsewhere.
//
// Session is the sync protocol as a plain state machine (frames in, frames out); Syncer is the loop around it that owns
// a WebSocket.
package replica
