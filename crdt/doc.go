// Package crdt says what a member's documents hold: their names and ids, the contacts, goals and log entries in them,
// what each key and value means, and what may be written.
//
// Three kinds of document exist for each member, all of them flat Automerge documents (one root map of scalars):
//
//	profile      home time zone, language, quiet hours, goal commitments and rest days by effective date
//	contacts     <contact id>/<field>, one register a field
//	log-YYYY-MM  <entry id> → one immutable Entry in canonical JSON; the month is the entry's own, in UTC
//
// Everything has one id wherever it is made: a document's id is the UUIDv5 of its member and name, what a device makes
// has a UUIDv7, what comes from a file or another system has the UUIDv5 of its key there. So nothing needs a server to
// be named, and what arrives twice is one.
//
// The package holds values and rules only: it opens nothing, reads no clock and knows neither SQLite nor sockets. The
// format of a document is the business of crdt/automerge, that of a connection of crdt/wire.
package crdt
