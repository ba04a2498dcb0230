// Package board keeps how the members of a company stand: who did most of what in a week or a month, who was recognised, and to a
// sponsor how the commitments of the direct team stand. It reads members' documents as devices do (packages ledger, book and ranking),
// so that a number here is the number on the member's own screen.
//
//	members' changes ── ReadSheet ──> Sheet: days, plan, awards ── store.Fold ──> kept until the member does something
//	all sheets of a company ── Boards.View ──> a week's and a month's boards, recognition
//	sheets of those whom a member sponsors ── Boards.Team ──> the report of a coach
//
// # What it promises
//
//   - An act counts on the day of its event in the member's own calendar, whenever it arrives, and once, however often. What was
//     taken back is gone.
//   - Only members who did something since are read again; all of a company when its rules count in another way.
//   - Who wants to be on no board is on none, is not recognised, and gives the sponsor no number. The own numbers are always shown.
//   - Nothing of contacts is in any answer: numbers, names of members, names of badges.
//   - What is said is good, or a number. A coaching line is there only when the log proves it.
//   - Several processes may do all of it at once: what one has made serves the others, and none takes back what another did.
//
// # What it never does
//
// It writes no member's document, and remembers nothing that it could not make anew.
package board
