// Package sim plays many devices against one server: the demo that a newcomer sees first, on made-up or real input, and
// the tests in which devices and servers are cut off, killed and brought back.
//
// It uses what promoters use: real replicas on real SQLite files, real WebSockets, files read by the importers. Only
// the people are made up (package gen), or the caller's own. Nothing of a product may depend on it.
package sim
