package crdt

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"trio/crdt/automerge"
	"trio/crdt/zone"
)

// Fields of a contact. A contact is registers `<contact>/<field>` of the contacts document; the fields that end in a
// slash are families: the rest of the key is the phone number, address or tag, so that two devices that add two
// numbers keep both.
const (
	FieldName       = "name"
	FieldStage      = "stage"
	FieldPhone      = "phone/" // E.164; the value is a label ("mobile")
	FieldEmail      = "email/" // lower case; the value is a label
	FieldTag        = "tag/"   // the value is true
	FieldBirthday   = "birthday"
	FieldConsent    = "consent"
	FieldSnooze     = "snooze"      // no suggestion before this date
	FieldMergedInto = "merged-into" // the contact that this one turned out to be
	FieldHousehold  = "household"   // any contact's id that the household shares
	FieldCompany    = "company"
	FieldNote       = "note"
	FieldZone       = "zone"   // where the contact lives, such as "Europe/Madrid"; absent: as the member
	FieldSource     = "source" // where the contact came from: an event's tag, a file's key
	FieldCreated    = "created"
	FieldDeleted    = "deleted"
)

// Stages of a contact, in their order.
const (
	StageProspect = "prospect"
	StageCustomer = "customer"
	StagePromoter = "promoter"
)

// Stages lists the stages of a contact in the order of the path.
var Stages = []string{StageProspect, StageCustomer, StagePromoter}

// Consents of a contact: absent means not asked.
const (
	ConsentGiven = "given"
	ConsentOut   = "opted-out"
)

// Limits of one contact field.
const (
	MaxFieldBytes   = 4 << 10
	maxFieldKeyTail = 254 // the longest address there is (RFC 5321)
)

// ContactKey is the register of one field of a contact.
func ContactKey(c ContactID, field string) string { return c.String() + "/" + field }

// SplitContactKey takes a register of the contacts document apart.
func SplitContactKey(key string) (c ContactID, field string, err error) {
	if len(key) < 38 || key[36] != '/' {
		return c, "", fmt.Errorf("contact key %.60q: want <contact id>/<field>", key)
	}
	u, err := ParseUUID(key[:36])
	if err != nil {
		return c, "", fmt.Errorf("contact key: %w", err)
	}
	return ContactID(u), key[37:], nil
}

// CheckContactField says what is wrong with a field that is about to be written, or nil. A nil value deletes it.
func CheckContactField(field string, v *automerge.Value) error {
	family, tail := field, ""
	if i := strings.IndexByte(field, '/'); i >= 0 {
		family, tail = field[:i+1], field[i+1:]
		if tail == "" || len(tail) > maxFieldKeyTail {
			return fmt.Errorf("contact field %.60q: the part after the slash has %d bytes, want 1 to %d", field, len(tail), maxFieldKeyTail)
		}
	}
	if !utf8.ValidString(field) || v != nil && !utf8.ValidString(v.Str) {
		return fmt.Errorf("contact field %.60q: not UTF-8", field)
	}
	if v != nil && len(v.Str) > MaxFieldBytes {
		return fmt.Errorf("contact field %s of %d bytes: shorten it to %d", field, len(v.Str), MaxFieldBytes)
	}
	str := func() error {
		if v != nil && v.Kind != automerge.KindString {
			return fmt.Errorf("contact field %s: want text", field)
		}
		return nil
	}
	oneOf := func(words ...string) error {
		if err := str(); err != nil || v == nil {
			return err
		}
		if !slices.Contains(words, v.Str) {
			return fmt.Errorf("contact field %s is %.30q: want one of %v", field, v.Str, words)
		}
		return nil
	}
	switch family {
	case FieldName, FieldCompany, FieldNote, FieldSource, FieldEmail:
		if family == FieldEmail && (tail != strings.ToLower(tail) || !strings.Contains(tail, "@")) {
			return fmt.Errorf("e-mail address %.60q: want lower case with an @", tail)
		}
		return str()
	case FieldPhone:
		if !IsE164(tail) {
			return fmt.Errorf("phone number %.30q: want + and 7 to 15 digits", tail)
		}
		return str()
	case FieldTag:
		if v != nil && v.Kind != automerge.KindTrue {
			return fmt.Errorf("contact field %s: want true", field)
		}
		return nil
	case FieldStage:
		return oneOf(Stages...)
	case FieldConsent:
		return oneOf(ConsentGiven, ConsentOut)
	case FieldSnooze, FieldBirthday:
		if err := str(); err != nil || v == nil {
			return err
		}
		s := v.Str
		if family == FieldBirthday && strings.HasPrefix(s, "--") {
			s = "2000-" + s[2:] // the year is not known; a leap year allows 29 February
		}
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return fmt.Errorf("contact field %s is %.20q: want YYYY-MM-DD", field, v.Str)
		}
		return nil
	case FieldZone:
		if err := str(); err != nil || v == nil {
			return err
		}
		if !zone.Known(v.Str) {
			return fmt.Errorf("time zone %.60q is not known: want a name like Europe/Madrid", v.Str)
		}
		return nil
	case FieldMergedInto, FieldHousehold:
		if err := str(); err != nil || v == nil {
			return err
		}
		if _, err := ParseUUID(v.Str); err != nil {
			return fmt.Errorf("contact field %s: %w", field, err)
		}
		return nil
	case FieldCreated:
		if v != nil && v.Kind != automerge.KindTimestamp {
			return fmt.Errorf("contact field %s: want a time", field)
		}
		return nil
	case FieldDeleted:
		if v != nil && v.Kind != automerge.KindTrue && v.Kind != automerge.KindFalse {
			return fmt.Errorf("contact field %s: want true or false", field)
		}
		return nil
	}
	return fmt.Errorf("contact field %.60q is not one that this version writes", field)
}

// IsE164 reports whether s is a phone number in the international form: + and 7 to 15 digits, the first not 0.
func IsE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ParseContactID reads a contact's id in its canonical form.
func ParseContactID(s string) (ContactID, error) {
	u, err := ParseUUID(s)
	return ContactID(u), err
}

// ParseEntryID reads an entry's id in its canonical form.
func ParseEntryID(s string) (EntryID, error) {
	u, err := ParseUUID(s)
	return EntryID(u), err
}

// ParseMemberID reads a member's id in its canonical form.
func ParseMemberID(s string) (MemberID, error) {
	u, err := ParseUUID(s)
	return MemberID(u), err
}

// ParseDeviceID reads a device's id in its canonical form.
func ParseDeviceID(s string) (DeviceID, error) {
	u, err := ParseUUID(s)
	return DeviceID(u), err
}

// IsZero reports whether no contact is meant.
func (id ContactID) IsZero() bool { return uuid.UUID(id) == uuid.Nil }
