package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"trio/crdt"
)

// Limits of one person, so that no card can flood a book.
const (
	maxPhones = 20
	maxEmails = 20
	maxTags   = 50
	maxTag    = 100
	maxLabel  = 40
)

// digest shortens what is too long or too private to be a key.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// idKey is the key of what has a name of its own in the source.
func idKey(id string) string {
	if len(id)+3 > maxKeyBytes {
		return "id:" + digest(id)
	}
	return "id:" + id
}

// nameKey brings a name to one spelling whatever its order, case and accents: "García, Ana" is "ana garcia".
func nameKey(name string) string {
	w := strings.Fields(fold(name))
	slices.Sort(w)
	return strings.Join(w, " ")
}

// setKey derives the key of a person whom the source gives none.
func (p *Person) setKey() {
	var way string
	switch {
	case len(p.Phones) > 0:
		way = p.Phones[0].Number
	case len(p.Emails) > 0:
		way = p.Emails[0].Address
	}
	p.Key = "p:" + digest(nameKey(p.Name), way)
}

// finish gives a person a key and a name; false when there is nothing to know the person by.
func (p *Person) finish() bool {
	if p.Name == "" && len(p.Phones) == 0 && len(p.Emails) == 0 && p.Company == "" {
		return false
	}
	if p.Name == "" {
		p.Name = p.Company
	}
	if p.Key == "" {
		p.setKey()
	}
	switch {
	case p.Name != "":
	case len(p.Emails) > 0:
		p.Name = p.Emails[0].Address
	default:
		p.Name = p.Phones[0].Number
	}
	// Values are pieces of the file's text; copies let go of the rest of it.
	for _, s := range []*string{&p.Name, &p.Company, &p.Note, &p.Key} {
		*s = strings.Clone(*s)
	}
	for i, t := range p.Tags {
		p.Tags[i] = strings.Clone(t)
	}
	return true
}

func (p *Person) addPhone(number, label string) {
	if len(p.Phones) < maxPhones && !slices.ContainsFunc(p.Phones, func(q Phone) bool { return q.Number == number }) {
		p.Phones = append(p.Phones, Phone{number, strings.Clone(labelOf(label))})
	}
}

// addEmail reports whether s is an address.
func (p *Person) addEmail(s, label string) bool {
	s, ok := normalizeEmail(s)
	if ok && len(p.Emails) < maxEmails && !slices.ContainsFunc(p.Emails, func(q Email) bool { return q.Address == s }) {
		p.Emails = append(p.Emails, Email{strings.Clone(s), strings.Clone(labelOf(label))})
	}
	return ok
}

func normalizeEmail(s string) (string, bool) {
	s = clean(s, 1000, false)
	if i, j := strings.LastIndexByte(s, '<'), strings.LastIndexByte(s, '>'); i >= 0 && j > i {
		s = s[i+1 : j]
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.ToLower(s) // what lower case makes of a few letters has a lower case of its own
	i := strings.LastIndexByte(s, '@')
	return s, i > 0 && i < len(s)-1 && len(s) <= 254 && !strings.ContainsAny(s, " ,;<>\"") && s == strings.ToLower(s)
}

// addNote puts a clean note below what is there, as far as a register holds it.
func (p *Person) addNote(note string) {
	switch {
	case note == "" || len(p.Note) > crdt.MaxFieldBytes-8:
	case p.Note == "":
		p.Note = note
	case len(p.Note)+1+len(note) <= crdt.MaxFieldBytes:
		p.Note += "\n" + note
	default:
		p.Note = clean(p.Note+"\n"+note, crdt.MaxFieldBytes, true)
	}
}

// addTag keeps a group or category. One that names a stage or says that the person wants no messages is that instead.
func (p *Person) addTag(s string) {
	s = clean(strings.TrimPrefix(strings.TrimSpace(s), "*"), maxTag, false)
	word := fold(s)
	if word == "" || word == "mycontacts" || word == "my contacts" {
		return
	}
	if stage := stageOf(word); stage != "" {
		p.raiseStage(stage)
		return
	}
	if consent := consentOf(word); consent != "" && !isYes(word) && !isNo(word) {
		p.setConsent(consent)
		return
	}
	if len(p.Tags) < maxTags && !slices.ContainsFunc(p.Tags, func(t string) bool { return strings.EqualFold(t, s) }) {
		p.Tags = append(p.Tags, s)
	}
}

// addTags reads "a; b, c" and Google's "a ::: b".
func (p *Person) addTags(s string) {
	if strings.Contains(s, ":::") {
		for t := range strings.SplitSeq(s, ":::") {
			p.addTag(t)
		}
		return
	}
	for _, t := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' || r == '|' || r == '\n' }) {
		p.addTag(t)
	}
}

// raiseStage keeps the furthest of the stages that a file names.
func (p *Person) raiseStage(stage string) {
	if slices.Index(crdt.Stages, stage) > slices.Index(crdt.Stages, p.Stage) {
		p.Stage = stage
	}
}

// setConsent keeps an opt-out against whatever else the file says.
func (p *Person) setConsent(c string) {
	if p.Consent != crdt.ConsentOut {
		p.Consent = c
	}
}

var stageWords = map[string]string{
	"prospect": crdt.StageProspect, "prospects": crdt.StageProspect, "lead": crdt.StageProspect, "leads": crdt.StageProspect,
	"prospecto": crdt.StageProspect, "interesado": crdt.StageProspect, "interesada": crdt.StageProspect, "cliente potencial": crdt.StageProspect,
	"interessent": crdt.StageProspect, "interessentin": crdt.StageProspect, "potential customer": crdt.StageProspect,

	"customer": crdt.StageCustomer, "customers": crdt.StageCustomer, "client": crdt.StageCustomer, "clients": crdt.StageCustomer,
	"cliente": crdt.StageCustomer, "clientes": crdt.StageCustomer, "clienta": crdt.StageCustomer, "kunde": crdt.StageCustomer, "kundin": crdt.StageCustomer,
	"kunden": crdt.StageCustomer, "retail customer": crdt.StageCustomer, "preferred customer": crdt.StageCustomer,

	"promoter": crdt.StagePromoter, "promoters": crdt.StagePromoter, "distributor": crdt.StagePromoter, "distributors": crdt.StagePromoter,
	"affiliate": crdt.StagePromoter, "promotor": crdt.StagePromoter, "promotora": crdt.StagePromoter, "distribuidor": crdt.StagePromoter,
	"distribuidora": crdt.StagePromoter, "afiliado": crdt.StagePromoter, "afiliada": crdt.StagePromoter, "vertriebspartner": crdt.StagePromoter,
	"vertriebspartnerin": crdt.StagePromoter, "distributeur": crdt.StagePromoter, "ambassador": crdt.StagePromoter, "consultant": crdt.StagePromoter,
}

func stageOf(folded string) string { return stageWords[folded] }

// consentOf reads a word that says by itself whether the person may be written to.
func consentOf(folded string) string {
	switch folded {
	case "opted out", "opt out", "unsubscribed", "do not contact", "do not call", "no contactar", "dnc", "baja":
		return crdt.ConsentOut
	case "opted in", "opt in", "given", "subscribed", "consent given":
		return crdt.ConsentGiven
	}
	return ""
}

func isYes(folded string) bool {
	switch folded {
	case "yes", "y", "true", "1", "x", "si", "s", "ja", "j", "oui", "sim", "on":
		return true
	}
	return false
}

func isNo(folded string) bool {
	switch folded {
	case "no", "n", "false", "0", "nein", "non", "nao", "off":
		return true
	}
	return false
}

// labelOf brings what files call a number or address to few words: mobile, home, work, main, other, or the label as
// it is when it is none of these.
func labelOf(s string) string {
	s = clean(strings.Trim(strings.TrimSpace(s), "*"), maxLabel, false)
	for w := range strings.FieldsSeq(fold(s)) {
		switch w {
		case "mobile", "cell", "cellular", "iphone", "movil", "celular", "handy", "mobil", "portable", "telemovel", "mobiltelefon":
			return "mobile"
		case "home", "casa", "privat", "particular", "domicile", "personal":
			return "home"
		case "work", "business", "trabajo", "oficina", "arbeit", "geschaftlich", "travail", "bureau", "company", "trabalho", "empresa":
			return "work"
		case "main", "principal", "primary":
			return "main"
		case "other", "otro", "andere", "autre", "outro", "voice", "internet":
			return "other"
		}
	}
	return strings.ToLower(s)
}

// mergePeople makes one of those who are one: the same key, or the same name with a number or address in common. With
// ids, two who have different ids of their own stay two, as the source says so. The smallest of the keys is kept, so
// that the order of the file does not matter.
func mergePeople(people []Person, ids bool, problems *problems) []Person {
	seen := map[string]int{}
	out := people[:0]
	merged := 0
	for _, p := range people {
		ways := make([]string, 1, 1+len(p.Phones)+len(p.Emails))
		ways[0] = p.Key
		if !ids || !strings.HasPrefix(p.Key, "id:") {
			name := nameKey(p.Name)
			for _, ph := range p.Phones {
				ways = append(ways, name+"\x00"+ph.Number)
			}
			for _, e := range p.Emails {
				ways = append(ways, name+"\x00"+e.Address)
			}
		}
		into := -1
		for _, w := range ways {
			if i, ok := seen[w]; ok {
				into = i
				break
			}
		}
		if into < 0 {
			into = len(out)
			out = append(out, p)
		} else {
			out[into].absorb(&p)
			merged++
		}
		for _, w := range ways {
			if _, ok := seen[w]; !ok {
				seen[w] = into
			}
		}
	}
	problems.tally("[entry was|entries were] of a person whom the file already has, and went into that one", merged)
	return out
}

func (p *Person) absorb(q *Person) {
	p.Key = min(p.Key, q.Key)
	for _, ph := range q.Phones {
		p.addPhone(ph.Number, ph.Label)
	}
	for _, e := range q.Emails {
		p.addEmail(e.Address, e.Label)
	}
	for _, t := range q.Tags {
		p.addTag(t)
	}
	if p.Company == "" {
		p.Company = q.Company
	}
	if p.Birthday == "" {
		p.Birthday = q.Birthday
	}
	if !strings.Contains(p.Note, q.Note) {
		p.addNote(q.Note)
	}
	p.raiseStage(q.Stage)
	p.setConsentFrom(q.Consent)
}

func (p *Person) setConsentFrom(c string) {
	if c != "" {
		p.setConsent(c)
	}
}
