package importer

import (
	"strings"
)

// Sniff tells what a file holds from its name and its first bytes (some kilobytes). It decides which reader to offer;
// the reader decides what is true.
func Sniff(name string, head []byte) Kind {
	if len(head) > 64<<10 {
		head = head[:64<<10]
	}
	text := decodeText(head)
	if strings.Contains(strings.ToUpper(text), "BEGIN:VCARD") {
		return VCardFile
	}
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, ".vcf") || strings.HasSuffix(lower, ".vcard") {
		return VCardFile
	}
	if strings.IndexByte(text, 0) >= 0 || strings.TrimSpace(text) == "" {
		return UnknownFile // a spreadsheet's own format, a picture
	}
	// The last line may be cut.
	if i := strings.LastIndexByte(text, '\n'); i > 0 {
		text = text[:i+1]
	}
	opt := Options{}
	if err := opt.check(); err != nil {
		return UnknownFile
	}
	orders, contacts := 0, 0
	if t, err := openTable(text, orderRoles, nil, &problems{}); err == nil {
		if o, err := newOrderTable(t, &opt); err == nil {
			orders = 3
			for _, role := range []string{"order", "amount", "price", "units", "currency", "status"} {
				if o.l.has(role) {
					orders += 2
				}
			}
		}
	}
	if t, err := openTable(text, contactRoles, nil, &problems{}); err == nil {
		if c, err := newContactTable(t, &opt); err == nil {
			for _, role := range []string{"first", "last", "company", "birthday", "phone", "tags", "stage", "consent", "note"} {
				if c.l.has(role) {
					contacts += 2
				}
			}
			if c.l.has("name") || c.l.has("email") {
				contacts += 2
			}
		}
	}
	switch {
	case orders > contacts:
		return OrdersFile
	case contacts > 0:
		return ContactsFile
	}
	return UnknownFile
}
