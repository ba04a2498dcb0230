// Package learn has a company's playbook learn from what its members' devices synced: it reads their documents from the
// store as devices do (package book), has package fit find the numbers, and publishes them as the next version.
//
//	members' changes ── read ──> contacts ── fit.Observe ──> acts, controls, orders ── fit.Night ──> candidate
//	candidate ── worth a version? ── fit.Release ──> published, if nobody published meanwhile; or a Report that says why not
//
// # What it promises
//
//   - What is learnt from is what devices show: the same facts to the byte, results and slips included. Acts count once,
//     however often and late they were synced.
//   - Only numbers that fit owns are changed, what a success is worth among them where people named a margin.
//     Words, rules, goals and all else are those of the newest document that people wrote.
//   - No member is more than a twentieth, whatever its documents say; one that holds more than people do is left out, by name.
//   - One member is in memory at a time. What is kept of all is bounded (maxActs and so on): of more a fair sample is taken.
//   - Nothing is published when there is too little to learn from, when nothing moved by more than chance moves it, when the
//     candidate does worse, or when another version was published meanwhile.
//
// # What it never does
//
// It writes no member's document, and keeps nothing between two nights: each reads everything again.
package learn
