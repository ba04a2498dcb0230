// Package sql is the replica's way to SQLite: database/sql over modernc.org/sqlite natively, and in a browser the same
// methods over the SQLite of the page's worker, through a bridge of a dozen functions (bridge.mjs).
//
// It has what the replica uses and nothing else, so that the browser need not load database/sql, which is 60 KB there. What
// it promises on both sides:
//
//   - Integers are exact in 64 bits, text and blobs are bytes, NULL goes into a []byte, a Null… and an any.
//   - An error says what SQLite says, with its code at the end: "database or disk is full (13)".
//   - Who reads beside the writing connection sees what was committed. In the browser there is one connection for all, so
//     who reads waits there until the transaction is over, and a goroutine must not read beside its own transaction.
//
// In the browser a call crosses to JavaScript once: parameters go over in one piece, and come back rows as many as
// fit into a buffer; both are copied from one WebAssembly memory to the other without becoming JavaScript values.
package sql
