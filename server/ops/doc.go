// Package ops is what stands around the server for those who operate it: metrics, request ids and log lines, limits for
// strangers and for companies, the listener that counts, and the operator's own page of health, metrics and profiles.
//
// # What it promises
//
//   - Every HTTP answer carries X-Request-Id, and the line of the log about it has the same id. A caller's own id is taken over if
//     it is short and plain.
//   - Everything that is kept for a caller (an address, a device, a company) is bounded; see Limits.
//   - Whoever is refused for a limit is told when to come back (Retry-After).
//   - Metrics belong to one Metrics value, not to the process: two servers can run in one test.
//
// # What it never does
//
// It never logs a name, a token, a key, a query or a body, and it logs an address only with a refusal. It keeps nothing of
// a connection once a device's WebSocket has been taken over, but two counters.
package ops
