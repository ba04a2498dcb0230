// Package powerloss is a disk for SQLite whose power can be cut, for tests of what is durable.
//
// # The room
//
// A Disk is a VFS, SQLite's word for what it sees of an operating system. It stands between SQLite and the VFS of the
// system, hands every call on, so that a store runs on it as it runs anywhere, and notes of each file what has been
// synced and what was written since. At any moment it tells what a disk might hold if the power failed just then:
// Cut takes that state, and Image.Write puts one of the many outcomes into a folder. A killed process is no such
// test, as what it wrote stays in the memory of the system and reaches the disk all the same.
//
// # What it takes a disk to do
//
//   - What was synced before the cut is there.
//   - What was written since may be there or not, each sector of 512 bytes for itself and in any order, between files and
//     within one; so pages are torn. A sector keeps its old bytes or has its new ones: writing some bytes of a sector does
//     not harm the others, which is what SQLite relies on by default.
//   - A file may have been cut to another length or not.
//   - A file that was made and never synced may be missing. One that was deleted may be back, unless its folder was synced.
//   - What lies in shared memory (-shm) is gone.
//
// It does not take a disk to lie about a sync, nor to damage what it has synced: no database survives the former, and
// trio verify finds the latter.
//
// It is for Linux, as the layout of SQLite's structures is that of the system.
package powerloss
