// Package importer turns files into values: address books (vCard 2.1, 3.0 and 4.0, and tables of Google, Outlook and
// others) into people, and order exports of any shop or back office into orders.
//
// It is the door for what a member already has. Nobody types a hundred contacts into a phone, and a company's orders
// live in some system that can export a table, whose columns carry names that nobody foresaw. So a header is guessed
// from words in five languages and from the values below it, and where neither tells, the error lists the columns and
// how to name them (ParseColumns).
//
// # What it promises
//
//   - Pure: a reader goes in, values come out. No file is opened here, no clock is read, nothing is written.
//   - One bad row is one Problem, with its line, what is wrong and what to do; the rest of the file goes through. An
//     error is for a file that as a whole cannot be read. Like problems are counted after the first 20.
//   - A Person's fields pass crdt.CheckContactField as they are: phone numbers in the international form, addresses in
//     lower case, text cut at the limit of a register.
//   - Keys are stable. The same file imported twice, or on two devices, gives the same keys, and crdt.SourceContactID
//     and crdt.SourceEntryID make one id of them. In a file that names customers by number, orders and contacts meet:
//     Order.PersonKey is Person.Key. Two equal rows without an order number are two orders with two keys, in the order
//     of the file, so a longer export keeps the keys of what it repeats. A caller whose member imports from several
//     systems that number their customers alike puts the system's name in front of the key.
//   - Limits are stated (MaxFileBytes, MaxRows, MaxFieldBytes) and nothing panics: the readers are fuzzed. A vCard file
//     costs the memory of its people, as photos are read past; a table costs at most three times its size besides.
//
// # How it decides
//
// The order of day and month, the form of amounts and whether bare numbers are days of a spreadsheet are decided by the
// whole column: one 25/04 settles every 03/04. Rows that are sorted by date settle it too; else the custom of the
// country is taken and a Problem says so. Rows of one order number are lines of one order and are added up, unless the
// column holds the order's total again and again. Cancelled orders and returns are left out and counted.
//
// # What it never does
//
// It does not look for duplicates in the member's book (the caller knows the book; numbers and addresses are
// normalised for it), does not look anything up, and does not validate phone numbers against the full numbering plans
// of the world, which would weigh more than the rest of the device's program.
package importer
