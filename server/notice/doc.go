// Package notice tells members on their devices that something is due, by the push services of their browsers: at once when a
// system brought what asks for a step (replica.Alerts says the same to who has the app open), and once a day at the member's own
// hour how many actions are due.
//
// The law is that there is no notice without an action to take. A Notice is made of the steps that the ranker gave, and there is no way to
// make one of none. Its words are the device's: what is sent says how many steps, on which list and upon which trigger,
// never whom they are about, and even that only the browser can open.
//
//	store.Watch ──> listener ──> look (learn.Book, ranking) ──> claim ──┐
//	Reminders  ───> daily    ──> look ───────────────────────> claim ──┴──> give ──> queue ──> senders ──> push services
//
// Several processes may run on one store. A notice is claimed in the store before it is sent, so it is sent at most once: what a process
// that dies in between had claimed is lost. That is the better way to fail, as a notice that comes twice is noise, and one that
// does not come costs little: the list is on the device, and the next day has its own.
//
// There is no notice of a day on which nothing is due, on a rest day, in quiet hours, and to who has logged something that day;
// after MaxIgnored in a row upon which nothing was logged they stop, until the member logs something again.
//
// Endpoints are addresses that strangers name: only those of known push services are taken, the address is looked at when it is
// dialed, no redirect is followed, and little is read of what comes back. They are secrets, and stand in no log.
//
// give is where a notice leaves: another channel (mail, text messages) goes beside browsers there.
package notice
