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
// A connection with nothing to say costs (go test -run '^$' -bench Idle -benchtime 1x ./server/hub, 10,000 of them, in bytes):
//
//	the reading goroutine's stack                     8,192   one goroutine, which waits in a read; those of net/http have gone
//	gorilla's read buffer                               512   held; frames are larger and go past it into memory of their own
//	gorilla's write buffer                            4,096   of a pool, while a message is being written
//	the rest of the heap                              2,900   conn, Session, logger, ping timer, WebSocket, socket, poll descriptor
//	process, all in all (resident)                   14,200
//	kernel: socket and its file                       4,300   beside the process
//
// While there is something to write there is a second goroutine, whose stack is 2 to 8 KB and goes back when nothing is left;
// the frame, in memory of its own; and up to 16 KiB of what is held back so that it leaves with one write, of a pool. A frame
// that comes in takes its size, 4 MiB at most, until it was worked in. What a device has pushed stands as hashes (32 bytes
// each) from its push to the answer, and what it names to reconcile with 16 bytes each until it was sent the order (512 Ki
// names at most, and 64 MB for all connections together). TLS adds some 8 KB a connection.
//
// A device whose access was taken back is let in once more, to bring what it had not sent, which is kept apart, and to say
// that it is empty.
//
// The hub promises that a device is told of a change only after the store has it durably, that a device is sent its
// member's documents and nothing else, and that every connection is told to come back before the server goes down. It
// never merges, ranks or reads what is inside a change, but for the log entries that the feed is made of.
package hub
