// Package admin is how people come to sync: companies with their quotas and keys, members with teams and sponsors,
// invitations, devices, and what was kept apart of revoked ones; and how a company publishes its playbook. A Service does each thing once, for the handlers of HTTP and
// for the operator's command line alike.
//
// # Who asks
//
// Every call says on whose behalf it is. A Caller made of a key sees its own company and nothing else: what belongs to another one is
// as if it did not exist. The operator, at the command line of the machine, sees all companies. A device asks for its own
// member only. What needs a scope is looked at by ops.Guard before a handler runs; that a key neither makes nor
// takes back a key with more scopes than its own is looked at here.
//
// # What it promises
//
//   - Bad input is answered with all that is wrong with it, field by field, and what to do. A body is one JSON object of at
//     most MaxBody bytes (a playbook is itself the body), a field that is not known is refused by its name, and so is one that is given twice.
//   - Lists are paged: limit items (1 to MaxPage, default DefaultPage) after the one that the last page named as next.
//   - A code is redeemed by one caller; it makes one device.
//   - What a revoked device had not sent is shown as a company may see it: documents, counts, kinds and times of log
//     entries, fields of contacts; never names, numbers or notes.
//   - Taking it over stores it first and marks it afterwards: when that is cut, it is offered again and counted once.
//
// # What it never does
//
// It keeps nothing in memory between two calls, but for how often codes were missed. It never logs a name, a code, a token or a key. The link of an invitation has
// its code behind the #, so that it is in no log and no Referer on the way.
package admin
