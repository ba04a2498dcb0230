// Package store keeps what the sync server must never lose: members and their devices, the order of every member's
// changes with the chain hash over it, and the activity feed.
//
// # The room
//
// Store is the seam: the hub, the feed and the command know nothing else of storage. SQLite is the embedded engine: one
// file, no second process to run. Package storetest holds the suite that every engine has to pass.
//
// # What it promises
//
// Persist, then tell. A write that returns nil has been through COMMIT and fsync, so it survives a power cut. This goes
// for duplicates too: a push that brings nothing new still writes (it counts itself in the member's row), because the
// first copy may have reached only the memory of the machine when the process that wrote it was killed.
//
// All or nothing. A push is one transaction with its chain and its feed records. Of the items of a push, those that
// break a rule are rejected with a code and a sentence; the others are stored. Many pushes share one COMMIT, yet none
// can spoil another: when the shared transaction fails, each push is tried again alone.
//
// One order. A member has one order of changes over all documents: 1, 2, 3 and so on without gap. Numbers are given
// inside the write transaction, of which there is one at a time, so that the order of numbers is the order of commits
// and no reader with a cursor can be overtaken. The heads are a row of their own, never derived from what is left in a
// table. The feed of a company is ordered likewise.
//
// Companies do not mix: a member belongs to one company, a device to one member, a feed cursor to one company.
//
// # What it checks
//
// Append takes changes that are parsed and checked as bytes, and checks what only the store can know: that the writer
// is a device of the member, or one of another program whose change a device of the member brings, that every change it builds on is stored in the same document, that its sequence number is
// the writer's next there, and that its operations come after those it builds on and after the writer's own earlier
// ones. A revoked device may not connect (the hub's matter), but what it wrote before is the member's, and any other
// device of the member may bring it: so Append takes changes of revoked devices.
//
// # What it never does
//
// It never holds a document in memory, nor any state of the database that a second process could make stale, so the
// operator's command may work on the file beside a running server. It never asks what the operations of a change say; it
// never logs names; it never cancels a COMMIT because a client went away; it never deletes.
package store
