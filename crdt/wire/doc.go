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
// The company's playbook comes beside the order (version 3). The Hello says which one the device holds, by version and
// SHA-256; when the company's newest is a later one, or another of the same version, the server sends it as a Playbook
// frame once it has nothing of the order to send, so that what the member's other devices wrote is not kept waiting; and
// whenever one is published, to all who are connected. The frame has the document as it was published, deflated, and is the
// same for every device. A device keeps the highest version that it ever got: a server that was put back from a
// backup does not take it back. The Welcome says which one is the newest, so that a device that syncs and goes waits for it.
//
//	Hello(version, hash) ────────▶
//	      ◀─────────────────────── Welcome(version)
//	      ◀─────────────────────── Changes…
//	      ◀─────────────────────── Playbook version hash size deflated       at most 1 MiB once inflated
//
// The receipt at the end of each Changes frame is the acknowledgement, so order, cursor and durability are one thing.
//
// Every decoder states its limits, computes what it can instead of believing it (hashes, chains), returns an error that
// says what is wrong, never panics, and allocates no more than a stated multiple of its input.
package wire
