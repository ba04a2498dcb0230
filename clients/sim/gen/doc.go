// Package gen makes a believable company out of a seed: members, their contacts, two years of orders, touches with
// outcomes, and webinars. The demo, the tests and the load runs live on it, as no real person's data may.
//
// # The model
//
// Every number is a stated parameter of this package, in thousandths or days. Where one comes from real purchases it
// says so; the rest is set so that both lists show variety.
//
//   - Stages: of 1,000 contacts 560 are prospects, 370 customers, 70 promoters (stageMix).
//   - A customer buys one product for good. Products have a typical cycle of 28, 35, 45, 60 or 90 days; each customer's
//     own cycle is log-normal around it (sigma 0.35), each gap is own cycle × gamma noise of mean 1 (shape 5: the
//     regular buying of refills, as in online grocery; shape 1 would be the irregular buying of a record shop) × season
//     (people stock up in November and December and buy late in January and August).
//   - Drop-out is a geometric chance at each order: 150 of 1,000 stop after the first, 70 of 1,000 after each later
//     one. So about half are gone after eight orders: with cycles of 45 days, within a year. This is the
//     modified beta-geometric picture with one rate for all.
//   - First orders spread over two years, denser towards today, as a company that grows.
//   - An order is 1 unit (750 of 1,000), 2 (200) or 3 (50) at the product's price.
//   - Prospects: most are quiet; some came through a form, registered for, joined or attended the overview webinar,
//     clicked, visited or watched, said "not ready", or were promised a follow-up. Touches follow with outcomes, of which half are answers:
//     no_answer, answered, replied, not_ready, moved.
//   - Consent: 30 of 1,000 opted out, 250 gave consent, the rest were never asked.
//   - Members' zones are written with their standard offset; summer time is left out.
//
// The first member has a cast on top, whose state is exact at the day that Company is given, so that a screen shown or
// a scenario tested has its people (see Cast).
//
// # What it promises
//
// The same seed, size and day give the same company on every machine and in every build: all arithmetic is in integers
// (distributions are tables of quantiles), no map is iterated, each member has a random stream of its own. A golden
// digest holds it.
//
// Nobody can be called: telephone numbers are from the ranges that the regulators of the USA, the United Kingdom,
// Germany, France and Australia keep for fiction; Spain keeps none, so numbers there begin with 4, which its plan does
// not assign. Addresses are under example.com, example.org and example.net.
//
// WriteVCF and WriteOrdersCSV write what package importer reads back as the same values.
//
// # What it never does
//
// It writes no documents and makes no ids of ours: people and orders are the importer's values, and go in the way files
// do; touches are entries whose Contact the caller fills in.
package gen
