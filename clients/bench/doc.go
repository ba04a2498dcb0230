// Package bench is many devices that work a server hard, and what that costs: the table that says whether this build, on
// this machine, does what it must.
//
// The server is a process of its own, so that its CPU time and its memory are its own; it listens on a real socket and
// keeps a real database. Its callers are light devices (a WebSocket and the writer's side of a log, hundreds of bytes
// each), and real replicas where the time of a device's disk counts.
//
// It never measures with anything of the server switched off: each push is on the server's disk before it is answered.
package bench
