package crdt

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"

	"trio/crdt/automerge"
	"trio/crdt/zone"
)

// Keys of the profile document. What holds from a day on is a family of registers that end in a date: the newest date
// that is not after a day holds on that day, so that a new commitment, or a move to another zone, changes no past.
const (
	ProfileName     = "name"
	ProfileZone     = "zone"     // IANA name of the home time zone; zone/<date> after a move
	ProfileLanguage = "language" // BCP 47, "en" or "es-MX"
	ProfileQuiet    = "quiet"    // "21:00-08:00", in the home zone
	ProfilePhone    = "phone"    // of the member's own card, as typed
	ProfileEmail    = "email"    // likewise
	ProfileBoards   = "boards"   // BoardsOff: the member's numbers are shown to nobody else; BoardsOn, or nothing: as the company has it
	ProfileRemind   = "remind"   // "09:00", in the home zone: when the day's notice comes; "off" for none
	profileZone     = "zone/"
	profileGoal     = "goal/"   // goal/<dimension>/<date>: how much a day, from the date on
	profileRest     = "rest/"   // rest/<date>: the value is true
	profileWeekly   = "weekly/" // weekly/<date>: the days of the week that are rest days from the date on, see WeeklyRestKey
)

// What ProfileBoards says.
const (
	BoardsOn  = "on"
	BoardsOff = "off"
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
	_, ok1 := clock(from)
	_, ok2 := clock(to)
	return ok && ok1 && ok2
}

// RemindOff is the value of ProfileRemind that wants no notice of the day.
const RemindOff = "off"

// Remind returns at which minute of the day a member wants the day's notice by the value of ProfileRemind: at nine when none is set.
// ok is false for none, and for what cannot be read.
func Remind(value string) (minute int, ok bool) {
	if value == "" {
		return 9 * 60, true
	}
	return clock(value)
}

// clock reads "HH:MM" as a minute of the day.
func clock(s string) (minute int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	return h*60 + m, h < 24 && m < 60
}

// QuietDefault are the quiet hours of a member who set none.
const QuietDefault = "21:00-08:00"

// QuietLeft returns how many minutes of quiet hours ("21:00-08:00"; "": QuietDefault) are left at a minute of the day;
// 0: it lies outside. What cannot be read are none, and so are two equal times.
func QuietLeft(quiet string, minute int) int {
	if quiet == "" {
		quiet = QuietDefault
	}
	a, b, _ := strings.Cut(quiet, "-")
	begin, ok := clock(a)
	end, ok2 := clock(b)
	if !ok || !ok2 {
		return 0
	}
	const day = 24 * 60
	length, since := (end-begin+day)%day, (minute-begin+day)%day
	return max(length-since, 0)
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

// ZoneKey is the register of the home time zone from a date on.
func ZoneKey(date string) string { return profileZone + date }

// SplitZoneKey returns the date from which a register says where home is, "" for the zone from the beginning; ok is false
// for other registers.
func SplitZoneKey(key string) (date string, ok bool) {
	if key == ProfileZone {
		return "", true
	}
	return datedKey(key, profileZone)
}

// RestKey is the register of one rest day.
func RestKey(date string) string { return profileRest + date }

// SplitRestKey returns the date of a rest day; ok is false for other registers.
func SplitRestKey(key string) (date string, ok bool) { return datedKey(key, profileRest) }

// WeeklyRestKey is the register of the days of the week that are rest days from a date on: bit 0 is Monday, bit 6 Sunday.
func WeeklyRestKey(date string) string { return profileWeekly + date }

// SplitWeeklyRestKey returns the date from which weekly rest days hold; ok is false for other registers.
func SplitWeeklyRestKey(key string) (date string, ok bool) { return datedKey(key, profileWeekly) }

func datedKey(key, family string) (date string, ok bool) {
	date, ok = strings.CutPrefix(key, family)
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		ok = false
	}
	return date, ok
}

// maxWeeklyRest is all days of a week but one.
const maxWeeklyRest = 6

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
	if strings.HasPrefix(key, profileRest) {
		if _, ok := SplitRestKey(key); !ok || v != nil && v.Kind != automerge.KindTrue {
			return fmt.Errorf("rest day %.60q: want rest/<YYYY-MM-DD> and true", key)
		}
		return nil
	}
	if strings.HasPrefix(key, profileWeekly) {
		if _, ok := SplitWeeklyRestKey(key); !ok {
			return fmt.Errorf("weekly rest days %.60q: want weekly/<YYYY-MM-DD>", key)
		}
		if v != nil && (v.Kind != automerge.KindInt || v.Num < 0 || v.Num > 127 || bits.OnesCount64(uint64(v.Num)) > maxWeeklyRest) {
			return fmt.Errorf("weekly rest days %s: want at most %d days of a week, as bits: 1 Monday, 2 Tuesday, 4 Wednesday … 64 Sunday", key, maxWeeklyRest)
		}
		return nil
	}
	if _, ok := SplitZoneKey(key); strings.HasPrefix(key, profileZone) && !ok {
		return fmt.Errorf("time zone key %.60q: want zone/<YYYY-MM-DD>", key)
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
	if strings.HasPrefix(key, profileZone) {
		key = ProfileZone
	}
	switch key {
	case ProfileName, ProfileLanguage, ProfilePhone, ProfileEmail:
		return nil
	case ProfileZone:
		if !zone.Known(v.Str) {
			return fmt.Errorf("time zone %.60q is not known: want a name like Europe/Madrid", v.Str)
		}
		return nil
	case ProfileQuiet:
		if !validQuiet(v.Str) {
			return fmt.Errorf("quiet hours %.20q: want HH:MM-HH:MM", v.Str)
		}
		return nil
	case ProfileBoards:
		if v.Str != BoardsOn && v.Str != BoardsOff {
			return fmt.Errorf("boards %.20q: want %s or %s", v.Str, BoardsOn, BoardsOff)
		}
		return nil
	case ProfileRemind:
		if _, ok := clock(v.Str); !ok && v.Str != RemindOff {
			return fmt.Errorf("hour of the day's notice %.20q: want HH:MM, or off", v.Str)
		}
		return nil
	}
	return fmt.Errorf("profile field %.60q is not one that this version writes", key)
}
