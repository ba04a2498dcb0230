// Package automerge reads and writes Automerge's binary format and applies its rules to registers, in pure Go.
//
// # What it is for
//
// An Automerge document is a graph of changes. Each change is one chunk of bytes: who wrote it, which changes it depends
// on, and its operations in columns. A change is named by the hash of its chunk, and so is all that came before it. This
// package takes such chunks apart (ParseChange), makes them (Change.Seal), puts them in causal order (Graph), and says
// which values of a key are visible after an operation (ApplyOp). These are values and pure functions: no clock, no
// goroutine, no file, no lock. A program that keeps changes and registers in rows of its own needs nothing else:
//
//	c, err := automerge.ParseChange(chunk)  // bounded, checked, hash verified
//	ready, err := graph.Add(c)              // what can be applied now, in causal order
//	for _, c := range ready {
//		for i := range c.Ops {
//			op := &c.Ops[i]             // only those on the root map, op.Obj.IsRoot()
//			entries = automerge.ApplyOp(entries, c.OpID(i), op)
//		}
//	}
//
// To write, it fills in a Change: Actor, Seq (the actor's last plus one), StartOp (greater than any operation it has
// seen), Deps (the heads it has seen, ascending) and Ops, each with the ids of the visible entries in Pred; then Seal.
//
// Doc does all of this in memory, for tests, tools and documents that fit: it keeps the chunks of the changes and, in a
// compact form, what is visible of the root map. Load and Doc.Save read and write files. SaveChanges writes a file straight
// from changes, wherever these are kept, without a document in memory.
//
// Sync is the state machine of the sync protocol, which any Automerge engine speaks: it says what goes into the next message
// to a peer, and Bloom is the filter by which the two find out what the other lacks. Change.CheckStrict and Change.CheckRefs
// are for who takes changes from strangers: they refuse what official engines take and cannot stand.
//
// # What it promises
//
// Equal bytes: where the format is canonical, what we encode is what the official engine encodes, so a change that was
// taken apart and put together again has the hash that it had. What we save loads in the official engine with equal heads
// and equal values, and the reverse. Any document that the official engine writes, lists, text, marks and nested maps
// included, is saved as one document chunk whose rows, columns and order are those of that engine; only the deflated form of
// a column differs, since another library deflates it. (An actor that wrote nothing is left out, as the engine does from its
// version 3 on.) What does not fit a document chunk is saved as the changes end to end; SaveChanges states which histories
// these are. The differential tests hold random histories of both engines against each other.
//
// Nothing lost: lists, text, marks and nested maps are parsed, checked, stored and passed on, and so are columns, value
// kinds and trailing bytes that newer writers may add. A parsed change keeps its bytes as they came.
//
// Bounded: each decoder states its limits beside itself (MaxChunkBytes, MaxOps and so on). Bytes are never trusted: no
// input makes the package panic, and what deflated columns claim is held to a stated multiple of what came in. Rows are not,
// since honest documents have very many in next to no bytes: memory is bounded by a stated multiple of the bytes and, for
// each row, 170 bytes in a change and 256 in a document, of which there may be MaxOps (90 MB) and MaxDocumentOps (1 GB).
// ParseChangeLimit, LoadLimit and Sync.MaxOps hold strangers to fewer rows. Work grows about as fast as bytes and rows do,
// but for who asks for a key of many values again and again. What we seal, deflate and save, we can read: the same limits
// hold on the way out. Errors name what is wrong and at which byte of the uncompressed chunk.
//
// # What it never does
//
//   - It does not materialise lists, text or nested maps; Entry.IsObject says where one stands.
//   - It does not repair: a chunk is right or refused. Numbers that are longer than need be, text that is not UTF-8, wrong
//     checksums and columns that do not fit each other are refused.
//   - It believes no clock: Change.Time is carried and decides nothing.
//   - It does not say who may write: that an actor id belongs to a device is for the caller to check.
//   - Graph and Doc are not safe for concurrent use; a Change that is sealed may be read by many.
//
// # Rules worth knowing
//
// Of the visible values of a key the one with the greatest operation id wins; the others remain as conflicts until someone
// writes over them. An increment that names a concurrent value which is no counter removes that value. A Graph refuses a
// change whose operation numbers its history has used, a gap in an actor's sequence, and a second change with an actor's
// sequence number (ErrFork); changes whose dependencies are missing wait, up to MaxPending.
//
// Operation counters end at MaxOp. A hostile writer can use that up in one change, as in every Automerge document: who
// accepts changes from strangers should refuse a StartOp far beyond what the document has reached.
//
// The format is described at https://automerge.org/automerge-binary-format-spec; where it leaves something open, the
// official engine decides.
package automerge
