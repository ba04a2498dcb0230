package importer

import (
	"fmt"
	"strings"
)

// role is what a column can be, and the words by which a header says so, as fold writes them, the surest first. A word
// with = in front counts only when it is the whole header.
type role struct {
	name  string
	many  bool     // several columns may have it
	words []string // "order id" matches "Order ID" at once and "Our order id (web)" less surely
	not   []string // words that rule the role out, unless the header is one of words exactly
}

func words(s string) []string {
	w := strings.Split(s, ",")
	for i := range w {
		w[i] = strings.TrimSpace(w[i])
	}
	return w
}

// The words are English, Spanish, German, French and Portuguese.
var orderRoles = []role{
	{
		name: "order", words: words(`order id, order number, order no, order nr, order ref, order reference, invoice id, invoice number,
		invoice no, invoice nr, order, invoice, receipt number, receipt no, receipt, transaction id, transaction number, transaction,
		document number, document no, numero de pedido, num pedido, n pedido, no pedido, id pedido, id de pedido, pedido, numero de factura,
		num factura, n factura, factura, numero de ticket, ticket, recibo, id transaccion, bestellnummer, bestellung, auftragsnummer,
		auftrag, rechnungsnummer, rechnung, belegnummer, beleg, numero de commande, no commande, commande, numero de facture, facture,
		numero do pedido, nota fiscal, fatura, =reference, =referencia, =referenz, =id`),
		not: words(`date, fecha, datum, data, day, time, total, amount, value, sum, importe, monto, valor, betrag, montant, status, estado,
		quantity, qty, cantidad, menge, customer, cliente, client, kunde, line, lines, item, items, price, name, type, source, discount, shipping,
		tax, count, currency, notes, note, country, channel`),
	},
	{
		name: "customer", words: words(`customer id, customer number, customer no, customer nr, customer code, customer key, client id,
		client number, client no, client code, account id, account number, account no, member id, member number, user id, buyer id, contact id,
		id cliente, id de cliente, codigo cliente, codigo de cliente, numero de cliente, num cliente, n cliente, kundennummer, kunden nr, kunden id,
		numero client, code client, no client, id client, codigo do cliente, customer, client, cliente, kunde, buyer, comprador, acheteur,
		kaufer, account, member, socio, user, usuario`),
		not: words(`date, fecha, datum, name, nombre, nom, nome, email, mail, correo, phone, telefono, telefon, since, type, tipo, group, grupo,
		country, city, address, note, notes, segment, status, total, amount`),
	},
	{
		name: "name", words: words(`customer name, client name, buyer name, billing name, full name, contact name, member name, account name, nombre completo,
		nombre del cliente, nombre cliente, nombre de cliente, kundenname, nom du client, nom client, nome do cliente, nome cliente, shipping name, =name, =nombre,
		=nom, =nome`),
		not: words(`product, producto, produkt, item, lineitem, company, user, file, discount`),
	},
	{name: "first", words: words(`first name, given name, billing first name, vorname, prenom, nombre de pila, primer nombre, primeiro nome`), not: words(`shipping`)},
	{name: "last", many: true, words: words(`last name, family name, surname, billing last name, apellidos, apellido, nachname, nom de famille, sobrenome`), not: words(`shipping`)},
	{name: "email", words: words(`email, e mail, email address, e mail address, customer email, correo electronico, correo, mail, courriel`), not: words(`status, type, opt, marketing, date`)},
	{name: "phone", words: words(`phone, phone number, mobile, billing phone, telephone, telefono, movil, celular, telefon, handy, telefone, tel`), not: words(`type, shipping`)},
	{
		name: "date", words: words(`order date, invoice date, date of order, purchase date, transaction date, sale date, date, order placed, created at,
		date created, ordered at, order time, datetime, paid at, date paid, timestamp, placed, when, fecha de pedido, fecha pedido, fecha del pedido,
		fecha de compra, fecha compra, fecha factura, fecha de factura, fecha, bestelldatum, auftragsdatum, rechnungsdatum, kaufdatum, belegdatum, datum,
		date de commande, date commande, date de la commande, date de facture, date achat, data do pedido, data da compra, data de compra, =data,
		created, =day, =time, =dia, =tag`),
		not: words(`birth, nacimiento, due, ship, shipped, shipping, delivery, delivered, entrega, lieferdatum, fulfilled, updated, modified,
		registered, cancelled, canceled, refunded, closed, expiry, valid, last, first, by`),
	},
	{
		name: "amount", words: words(`order total, order amount, total amount, grand total, invoice total, invoice amount, total price, total, amount, order value,
		net amount, gross amount, amount paid, total paid, revenue, turnover, sales, sum, subtotal, line total, value, paid, spend, spent,
		importe total, total pedido, total factura, importe, monto total, monto, valor total, valor, precio total, gesamtbetrag, gesamtsumme, gesamtpreis,
		betrag, summe, gesamt, umsatz, montant total, total ttc, montant, preco total`),
		not: words(`tax, taxes, vat, iva, mwst, tva, shipping, discount, refund, refunded, tip, fee, fees, outstanding, count, lines, orders, quantity,
		qty, units, items, date, currency, at, status, id, number, name, type`),
	},
	{
		name: "price", words: words(`unit price, lineitem price, item price, price, precio unitario, precio, einzelpreis, stuckpreis, preis, prix unitaire, prix, preco unitario, preco`),
		not: words(`compare, cost, total, list, discount`),
	},
	{
		name: "units", words: words(`quantity, qty, units, number of items, item count, items, pieces, pcs, cantidad, unidades, uds, menge, anzahl, stuck, quantite,
		qte, quantidade, qtd, =count`),
		not: words(`price, refunded, fulfilled, name, id, discount, cost, total`),
	},
	{name: "currency", words: words(`currency, currency code, moneda, divisa, wahrung, waehrung, devise, moeda`)},
	{name: "status", words: words(`financial status, payment status, order status, status, estado del pedido, estado, bestellstatus, statut`), not: words(`fulfillment, shipping, email`)},
	{name: "cancelled", words: words(`cancelled at, canceled at, cancelled, canceled, cancelado, anulado, storniert, annule`), not: words(`reason`)},
}

var contactRoles = []role{
	{
		name: "id", words: words(`customer id, customer number, customer no, client id, client number, contact id, member id, person id, uid, id cliente,
		numero de cliente, num cliente, codigo cliente, kundennummer, kunden nr, numero client, code client, codigo do cliente`),
		not: words(`name`),
	},
	{
		name: "name", words: words(`full name, display name, name, contact name, customer name, client name, nombre completo, nombre y apellidos, vollstandiger name,
		nom complet, nome completo, nome e sobrenome, =contact, =contacto, =kontakt, =customer, =client, =cliente, =kunde, =kundenname, =file as`),
		not: words(`first, last, middle, given, family, additional, company, organization, organisation, organizacion, business, prefix, suffix, nick, user,
		email, e, mail, street, domain, department, file, maiden`),
	},
	{name: "first", words: words(`first name, given name, forename, =first, vorname, nombre de pila, primer nombre, nombres, =nombre, prenom, primeiro nome, =nome, =given`)},
	{name: "middle", words: words(`middle name, additional name, segundo nombre, weitere vornamen, =middle, deuxieme prenom`)},
	{name: "last", many: true, words: words(`last name, family name, surname, =last, primer apellido, apellidos, apellido, nachname, familienname, nom de famille, =nom, sobrenome, apelido`)},
	{
		name: "company", words: words(`company, company name, organization name, organization, organisation, organization 1 name, business name, empresa, compania, organizacion,
		firma, unternehmen, societe, entreprise, employer`),
		not: words(`phone, main, title, department, type, telefono, yomi, phonetic, symbol, location, description, job, email, mail, fax, address, street, city`),
	},
	{
		name: "email", many: true, words: words(`email, e mail, email address, e mail address, correo electronico, direccion de correo electronico, correo, e mail adresse, mail,
		courriel, adresse mail`),
		not: words(`type, label, display, opt, marketing, status, count, consent, domain, unsubscribed, nombre, tipo, mostrar`),
	},
	{
		name: "phone", many: true, words: words(`mobile phone, mobile, phone, phone number, cell, cellphone, cell phone, telephone, tel, telefono movil, telefono, movil, celular, telefon,
		handy, mobil, mobiltelefon, mobilnummer, rufnummer, telefonnummer, portable, gsm, telefone, telemovel, whatsapp`),
		not: words(`type, label, fax, pager, tty, tdd, telex, isdn, assistant, ayudante, consent, opt, carrier, tipo, buscapersonas, e, country, callback, radio`),
	},
	{name: "birthday", words: words(`birthday, birth date, birthdate, date of birth, dob, bday, cumpleanos, fecha de nacimiento, nacimiento, geburtstag, geburtsdatum,
		date de naissance, anniversaire, data de nascimento, =aniversario`)},
	{
		name: "note", many: true, words: words(`notes, note, comments, comment, remarks, notas, nota, observaciones, comentarios, notizen, notiz, bemerkung, bemerkungen, anmerkung, remarques,
		observacoes`),
		not: words(`date, type`),
	},
	{
		name: "tags", many: true, words: words(`tags, tag, labels, group membership, groups, group, categories, category, etiquetas, etiqueta, grupos, grupo, categorias, categoria, kategorien,
		kategorie, gruppen, gruppe, etiquettes, groupes`),
		not: words(`phone, e, mail, email, address, website, event, relation, custom`),
	},
	{
		name: "stage", words: words(`stage, lifecycle stage, lead status, contact type, customer type, =type, =status, etapa, tipo de cliente, tipo de contacto, =tipo, =estado, =phase, =typ,
		kundentyp, etape`),
		not: words(`phone, email, e, mail, address`),
	},
	{
		name: "consent", words: words(`consent, opt in, opt out, opted out, opted in, unsubscribed, do not contact, do not call, marketing consent, accepts marketing, accepts email marketing,
		email opt in, consentimiento, no contactar, einwilligung, consentement, =subscribed`),
		not: words(`date, at, by, source, time`),
	},
}

func roleNames(roles []role) []string {
	var names []string
	for _, r := range roles {
		if r.name != "middle" && r.name != "cancelled" {
			names = append(names, r.name)
		}
	}
	return names
}

func isRole(name string) bool {
	for _, roles := range [][]role{orderRoles, contactRoles} {
		for _, r := range roles {
			if r.name == name {
				return true
			}
		}
	}
	return false
}

// score says how surely a folded header names the role; 0: it does not.
func (r *role) score(header string) int {
	best := 0
	padded := " " + header + " "
	for i, w := range r.words {
		bare, whole := strings.CutPrefix(w, "=")
		switch {
		case header == bare:
			return 1000 - i
		case !whole && strings.Contains(padded, " "+w+" "):
			best = max(best, 400+30*strings.Count(w, " ")-i)
		}
	}
	if best > 0 {
		for _, n := range r.not {
			if strings.Contains(padded, " "+n+" ") {
				return 0
			}
		}
	}
	return best
}

func bestRole(header string, roles []role) (name string, score int) {
	for i := range roles {
		if s := roles[i].score(header); s > score {
			name, score = roles[i].name, s
		}
	}
	return name, score
}

// layout says which columns have which role.
type layout map[string][]int

func (l layout) first(role string) int {
	if c := l[role]; len(c) > 0 {
		return c[0]
	}
	return -1
}

func (l layout) has(role string) bool { return len(l[role]) > 0 }

func (l layout) taken(column int) bool {
	for _, columns := range l { // any order: the answer is the same
		for _, c := range columns {
			if c == column {
				return true
			}
		}
	}
	return false
}

// arrange gives the columns their roles: those that the person named, then by the words of the header. fits may refuse
// a column whose values are not what the role holds.
func (t *table) arrange(roles []role, named map[string]string, fits func(role string, column int) bool) (layout, error) {
	l := layout{}
	for _, r := range roles {
		if name := named[r.name]; name != "" {
			c, err := t.column(name)
			if err != nil {
				return nil, fmt.Errorf("column of %s: %w", r.name, err)
			}
			l[r.name] = []int{c}
		}
	}
	fixed := map[int]bool{}
	for _, columns := range l { // any order: a set
		fixed[columns[0]] = true
	}
	type claim struct{ column, score int }
	claims := map[string][]claim{}
	for c, name := range t.names {
		if fixed[c] {
			continue
		}
		header := fold(name)
		// The surest role whose values fit.
		best, score := "", 0
		for i := range roles {
			r := &roles[i]
			if named[r.name] != "" {
				continue
			}
			if s := r.score(header); s > score && fits(r.name, c) {
				best, score = r.name, s
			}
		}
		if best != "" {
			claims[best] = append(claims[best], claim{c, score})
		}
	}
	for _, r := range roles {
		best := -1
		for i, c := range claims[r.name] {
			if r.many {
				l[r.name] = append(l[r.name], c.column)
			} else if best < 0 || c.score > claims[r.name][best].score {
				best = i
			}
		}
		if best >= 0 {
			l[r.name] = []int{claims[r.name][best].column}
		}
	}
	return l, nil
}
