// Package corporate is a company's side of the activity feed: a client for programs, and the logic of `trio pull`,
// which keeps a file of all activity up to date.
//
// # What it promises
//
// Client.Pull hands each record to a function in the order of the feed, and a cursor only after all records before it.
// It takes an answer for complete only when its last line is there.
//
// Pull writes each record once into its file. The state file says which cursor belongs to which length of the output; it
// is replaced, whole, only after the output is on the disk. What a crash has left behind that length is cut off before
// going on, so nothing is there twice and nothing is missing.
//
// # What it never does
//
// It never imports the server: the two meet in HTTP. It never puts the key into an error, a state file or a log.
package corporate
