package gen

import (
	"time"

	"trio/crdt"
	"trio/replica/importer"
)

// Cast names the people of the first member whose state is exact on the day of the company. They are the first of
// People, in this order.
var Cast = []string{
	"Joanna Hartwell", // customer; ordered every 31 days or so, last 45 days ago
	"Tom Becker",      // prospect; attended the overview webinar two days ago, not touched since
	"Priya Raman",     // prospect; submitted the form on the capture page 40 minutes ago
	"Kenji Mori",      // prospect; was promised a follow-up for today
	"Lucía Navarro",   // customer; ordered every 30 days, last 75 days ago: lapsed
	"Omar Haddad",     // prospect; attended the webinar, then opted out
	"Sofia Rossi",     // prospect; registered for the webinar two days ago and was absent
	"Elena Petrova",   // prospect; said "not ready" on the telephone ten days ago
	"Ingrid Dahl",     // customer; first order four days ago
	"Nadia Karim",     // prospect; watched the story video to its end yesterday
	"Diego Fuentes",   // customer; fourteen orders, the last six days ago: might promote
	"Marcus Bell",     // promoter; last met 50 days ago
	"Aiko Tanaka",     // customer; has a birthday today, ordered 20 days ago
	"Tilda Lindqvist", // prospect; is on the website since five minutes ago, answered a text eight days ago
	"Mina Sato",       // prospect; joined the webinar two days ago, nothing is known of how long she stayed
	"Yusuf Aydin",     // promoter for two days, as agreed on the telephone two days before; ordered twice
}

// cast puts the people of Cast into the book.
func (b *builder) cast() {
	put := func(i int, stage string) int {
		p := importer.Person{Name: Cast[i], Stage: stage, Tags: []string{"Cast"}}
		b.addPhone(&p, b.home)
		b.addEmail(&p)
		return b.add(p)
	}
	joanna := put(0, crdt.StageCustomer)
	b.orders(joanna, products[0], 169, 138, 106, 76, 45)
	b.touch(joanna, 104, crdt.Text, Replied)

	tom := put(1, crdt.StageProspect)
	b.registered(tom, 0)
	b.attended(tom, 0)

	priya := put(2, crdt.StageProspect)
	b.log(priya, crdt.Entry{Kind: crdt.FormSubmitted, At: b.today.Add(-40 * time.Minute).UnixMilli(), Evidence: crdt.E3, Event: "capture-page"})

	kenji := put(3, crdt.StageProspect)
	b.touch(kenji, 5, crdt.Call, Answered)
	b.log(kenji, crdt.Entry{Kind: crdt.Promise, At: b.at(5, 19, 59), Evidence: crdt.E0, Due: b.date(0), Note: "back from the trip, wants to hear about the starter set"})

	lucia := put(4, crdt.StageCustomer)
	b.orders(lucia, products[0], 226, 195, 165, 136, 105, 75)

	omar := put(5, crdt.StageProspect)
	b.m.People[omar].Consent = crdt.ConsentOut
	b.registered(omar, 1)
	b.attended(omar, 1)

	sofia := put(6, crdt.StageProspect)
	b.registered(sofia, 0)

	elena := put(7, crdt.StageProspect)
	b.touch(elena, 10, crdt.Call, NotReady)

	ingrid := put(8, crdt.StageCustomer)
	b.orders(ingrid, products[2], 4)

	nadia := put(9, crdt.StageProspect)
	b.log(nadia, crdt.Entry{Kind: crdt.Watched, At: b.at(1, 20, 15), Evidence: crdt.E3, Content: "story-video"})

	diego := put(10, crdt.StageCustomer)
	b.orders(diego, products[0], 396, 367, 336, 306, 277, 246, 216, 187, 156, 126, 97, 66, 36, 6)

	marcus := put(11, crdt.StagePromoter)
	b.orders(marcus, products[1], 300, 262, 230, 196, 160, 121, 88, 20)
	b.log(marcus, crdt.Entry{Kind: crdt.StageChanged, At: b.at(196, 18, 0), Stage: crdt.StagePromoter, Evidence: crdt.E4})
	b.touch(marcus, 50, crdt.Meet, Answered)

	aiko := put(12, crdt.StageCustomer)
	b.m.People[aiko].Birthday = b.day.Format("--01-02")
	b.orders(aiko, products[3], 201, 142, 83, 20)

	tilda := put(13, crdt.StageProspect)
	b.touch(tilda, 8, crdt.Text, Replied)
	b.log(tilda, crdt.Entry{Kind: crdt.SiteVisited, At: b.today.Add(-5 * time.Minute).UnixMilli(), Evidence: crdt.E3, Event: "capture-page"})

	mina := put(14, crdt.StageProspect)
	b.registered(mina, 0)
	b.joined(mina, 0)

	yusuf := put(15, crdt.StagePromoter)
	b.orders(yusuf, products[0], 61, 33)
	b.touch(yusuf, 4, crdt.Call, Moved)
	b.log(yusuf, crdt.Entry{Kind: crdt.StageChanged, At: b.at(2, 18, 0), Stage: crdt.StagePromoter, Evidence: crdt.E4})
}
