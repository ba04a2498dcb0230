// Package wire is the language that devices and servers speak on a WebSocket: one binary message a frame.
//
// A connection goes like this. The device says Hello with its newest Receipt; the server answers Welcome. If the receipt
// proves a prefix of the server's order (same chain hash at the same sequence number), the server sends Changes from
// there; if it does not, the Welcome asks to reconcile: the device names all that it holds (Have) and the server sends
// its whole order, hashes alone for what the device has. From then on both sides send when they have something: the
// device Push frames, one at a time, the server Changes in the member's order and an Answer to each Push.
//
//	device                          server
//	Hello ───────────────────────▶
//	      ◀─────────────────────── Welcome
//	(Have… ─────────────────────▶)          only to reconcile
//	      ◀─────────────────────── Changes…
//	Push ────────────────────────▶          stored and synced to disk before
//	      ◀─────────────────────── Changes  with the pushed ones as hashes, in their place of the order
//	      ◀─────────────────────── Answer   what was refused, and why
//
// The receipt at the end of each Changes frame is the acknowledgement, so order, cursor and durability are one thing.
//
// Every decoder states its limits, computes what it can instead of believing it (hashes, chains), returns an error that
// says what is wrong, never panics, and allocates no more than a stated multiple of its input.
package wire
