// Package playbook is a company's playbook as a document: what people write, what is published, and what devices and
// the server read.
//
// A document is JSON of one form: triggers, limits, goals, badges, pieces of content, a newcomer's first days, in all the
// company's languages (Doc). The form is said once (document in form.go); the reader, the writer, the search for differences
// and the maker of the schema go over it as visitors, so that none of them can know another form than the rest.
//
// # What it promises
//
//   - Parse says of everything that is wrong, up to MaxProblems, where it stands, why, and what to do. It takes no field that it
//     does not know and no number outside its bounds, so that no value can make ranking overflow; it never panics, and
//     its memory is bounded by the input's size.
//   - Encode has one form for one document: what Parse read from it is the same document, whose Encode is the same text. It
//     is laid out for people, so that what somebody looked at is, byte for byte, what is hashed and what a device gets.
//   - Notes ("note" in any object) are the author's own: they are not in Encode, and so not in the hash and not on devices.
//   - What a field means when it is left out is stated in the schema. Fields with their usual value are left out of Encode
//     where that is nothing or zero.
//
// # Languages
//
// A text is there in every language of Doc.Languages, or not at all. Languages into which it is still being translated
// are Doc.Drafts: a text may be there in them.
//
// # What devices carry
//
// A device calls Parse too, with all checks: it need not trust whoever published.
// The reader is our own, as it is a fifth of jsontext's size in a program for browsers (9 against 47 KB, compressed with
// Brotli) and knows the byte of every value.
//
// # What it never does
//
// It reads no files and no clock, uses no reflection and no floating point, and fetches nothing: not even a logo.
package playbook
