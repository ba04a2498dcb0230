// Package repo is the open door: the network protocol of npm's @automerge/automerge-repo, version "1", over a WebSocket, so
// that programs that know nothing of Trio read and write a member's documents beside its devices.
//
// A Session is the protocol of one connection as a plain state machine: messages in, messages out. It reads no socket and
// no clock. A Book holds the hash graphs of one member's documents that somebody syncs now; no document is ever made of
// them. What goes out is read from the store, and what comes in goes there: nobody is told of a change before it is durable.
// The Door puts sockets around sessions, wakes them when their member's order has grown, and paces who asks for too much.
//
// What a client can rely on:
//
//   - A token of a device lets it touch the documents of that device's member. Any other document, whoever has it, is
//     "doc-unavailable", and so is one that nobody has written yet; it comes by itself once somebody has.
//   - A change that the server refuses stays with the client, and so does what builds on it. The client is told once, by an
//     ephemeral message on the document (see Refusal), and the two are silent about it then.
//   - Ephemeral messages reach the member's other clients of this door that have the document open, at this server process.
//
// What it costs: Book says it for documents; a connection keeps for each document that it has open what automerge.Sync
// does, of which the peer's part is bounded by maxKept for all of them together, and changes that wait for others, bounded
// by maxWaiting.
package repo
