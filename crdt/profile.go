package crdt

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"trio/crdt/automerge"
)

// Keys of the profile document. Goal commitments are `goal/<dimension>/<date>`: the newest date that is not after a day
// holds on that day, so a commitment changes no past.
const (
	ProfileName     = "name"
	ProfileZone     = "zone"     // IANA name of the home time zone
	ProfileLanguage = "language" // BCP 47, "en" or "es-MX"
	ProfileQuiet    = "quiet"    // "21:00-08:00", in the home zone
	profileGoal     = "goal/"
	profileRest     = "rest/" // rest/<date>: the value is true
)

// Dimension is what a daily goal counts.
type Dimension string

// The four dimensions of the daily goals; companies may add their own words.
const (
	GoalOutreach Dimension = "outreach"
	GoalFollowUp Dimension = "followup"
	GoalLearn    Dimension = "learn" // minutes
	GoalShare    Dimension = "share"
)

// Valid reports whether the word can name a dimension: a lower-case letter, then up to 31 letters, digits or hyphens.
func (d Dimension) Valid() bool {
	for i, c := range []byte(d) {
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '-') {
			return false
		}
	}
	return len(d) >= 1 && len(d) <= 32
}

// validQuiet reports whether s is "HH:MM-HH:MM".
func validQuiet(s string) bool {
	from, to, ok := strings.Cut(s, "-")
	const form = "15:04"
	_, err1 := time.Parse(form, from)
	_, err2 := time.Parse(form, to)
	return ok && err1 == nil && err2 == nil && len(from) == len(form) && len(to) == len(form)
}

// GoalKey is the register of a commitment.
func GoalKey(d Dimension, date string) string { return profileGoal + string(d) + "/" + date }

// SplitGoalKey takes a commitment's register apart; ok is false for other registers.
func SplitGoalKey(key string) (d Dimension, date string, ok bool) {
	rest, ok := strings.CutPrefix(key, profileGoal)
	if !ok {
		return "", "", false
	}
	dim, date, ok := strings.Cut(rest, "/")
	if _, err := time.Parse(time.DateOnly, date); err != nil || !ok || !Dimension(dim).Valid() {
		return "", "", false
	}
	return Dimension(dim), date, true
}

// MaxGoal bounds a daily goal.
const MaxGoal = 10000

// CheckProfileField says what is wrong with a profile register that is about to be written, or nil. A nil value
// deletes it.
func CheckProfileField(key string, v *automerge.Value) error {
	if strings.HasPrefix(key, profileGoal) {
		if _, _, ok := SplitGoalKey(key); !ok {
			return fmt.Errorf("goal key %.60q: want goal/<dimension>/<YYYY-MM-DD>", key)
		}
		if v != nil && (v.Kind != automerge.KindInt || v.Num < 0 || v.Num > MaxGoal) {
			return fmt.Errorf("goal %s: want a whole number from 0 to %d", key, MaxGoal)
		}
		return nil
	}
	if date, ok := strings.CutPrefix(key, profileRest); ok {
		if _, err := time.Parse(time.DateOnly, date); err != nil || v != nil && v.Kind != automerge.KindTrue {
			return fmt.Errorf("rest day %.60q: want rest/<YYYY-MM-DD> and true", key)
		}
		return nil
	}
	if v == nil {
		return nil
	}
	if v.Kind != automerge.KindString || len(v.Str) > maxWordBytes {
		return fmt.Errorf("profile field %.60q: want text of at most %d bytes", key, maxWordBytes)
	}
	if !utf8.ValidString(v.Str) {
		return fmt.Errorf("profile field %.60q is not UTF-8", key)
	}
	switch key {
	case ProfileName, ProfileLanguage:
		return nil
	case ProfileZone:
		if _, err := time.LoadLocation(v.Str); err != nil || v.Str == "" || v.Str == "Local" {
			return fmt.Errorf("time zone %.60q is not known: want a name like Europe/Madrid", v.Str)
		}
		return nil
	case ProfileQuiet:
		if !validQuiet(v.Str) {
			return fmt.Errorf("quiet hours %.20q: want HH:MM-HH:MM", v.Str)
		}
		return nil
	}
	return fmt.Errorf("profile field %.60q is not one that this version writes", key)
}
