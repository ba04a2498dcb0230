// Package hub keeps the live connections of devices: it answers their frames, and sends each of them its member's order
// of changes from where the device stands.
//
// A Session is the protocol of one connection as a plain state machine. It has two sides that may run at the same time:
// Receive takes what the device sends (and waits for the store to make a push durable), Next returns what is to be sent.
// There is no queue of changes for a device: what it has not been sent yet is read from the store when it can take it,
// so a slow device costs no memory and misses nothing. The Hub only wakes the connections of a member after a commit; a
// wake-up is a hint, the store is the truth.
//
// Other processes may serve the same members: the hub takes the store's hints of what they commit, and asks for heads now
// and then, as hints may be lost. What it learns of devices (program, receipt, what they have not sent) it writes in batches.
//
// A device whose access was taken back is let in once more, to bring what it had not sent, which is kept apart, and to say
// that it is empty.
//
// The hub promises that a device is told of a change only after the store has it durably, that a device is sent its
// member's documents and nothing else, and that every connection is told to come back before the server goes down. It
// never merges, ranks or reads what is inside a change, but for the log entries that the feed is made of.
package hub
