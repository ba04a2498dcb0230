package ranking

// The names below travel in log entries and playbooks: once used they never change, and a new trigger goes to the end.
var (
	triggerNames = [NumTriggers]string{
		"new_lead", "webinar_follow", "webinar_absent", "next_step", "watched", "promised_follow", "nurture",
		"refill_due", "lapsed", "first_order", "ask_promote", "check_in", "registered", "joined", "visiting",
		"own1", "own2", "own3", "own4", "own5", "own6", "own7", "own8",
	}
	outcomeNames = [...]string{"none", "no_answer", "not_ready", "answered", "replied", "moved", "enrolled"}
	channelNames = [NumChannels]string{"call", "text", "email", "in_person"}
	stageNames   = [...]string{"prospect", "customer", "promoter"}
	listNames    = [...]string{"prospects", "members"}
	reasonNames  = [NumReasons]string{
		"none", "captured_ago", "form_ago", "attended_ago", "absent_ago", "not_ready_ago", "watched_ago", "clicked_ago",
		"promised_ago", "quiet_days", "never_contacted", "usual_cycle", "company_cycle", "first_order_ago", "loyal_orders",
		"registered_ago", "webinar_today", "joined_ago", "visited_ago", "own_moment", "not_reached", "not_ready_seen",
		"answers_by", "spoke_ago", "moved_ago", "interest", "order_likely", "tries_so_far", "by_channel", "by_content",
		"own_way", "own_words", "own_contact", "own_contact_way", "tried", "orders_so_far", "not_heard", "no_interest",
	}
)

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

func parse[T ~uint8](names []string, s string) (T, bool) {
	for i, name := range names {
		if name == s {
			return T(i), true
		}
	}
	return 0, false
}

// String returns the stable name, such as "refill_due".
func (t TriggerID) String() string { return nameOf(triggerNames[:], t) }

// ParseTrigger finds a trigger by its stable name.
func ParseTrigger(s string) (TriggerID, bool) { return parse[TriggerID](triggerNames[:], s) }

// String returns the stable name, such as "not_ready".
func (o Outcome) String() string { return nameOf(outcomeNames[:], o) }

// ParseOutcome finds an outcome by its stable name.
func ParseOutcome(s string) (Outcome, bool) { return parse[Outcome](outcomeNames[:], s) }

// String returns the stable name, such as "in_person".
func (c Channel) String() string { return nameOf(channelNames[:], c) }

// ParseChannel finds a channel by its stable name.
func ParseChannel(s string) (Channel, bool) { return parse[Channel](channelNames[:], s) }

// String returns the stable name, such as "customer".
func (s Stage) String() string { return nameOf(stageNames[:], s) }

// ParseStage finds a stage by its stable name.
func ParseStage(s string) (Stage, bool) { return parse[Stage](stageNames[:], s) }

// String returns the stable name, "prospects" or "members".
func (l List) String() string { return nameOf(listNames[:], l) }

// ParseList finds a list by its stable name.
func ParseList(s string) (List, bool) { return parse[List](listNames[:], s) }

// openers are the reasons for which each trigger opens; those of a company's own have one.
var openers = [Own1][]ReasonCode{
	NewLead: {CapturedAgo, FormAgo}, WebinarFollow: {AttendedAgo, JoinedAgo}, WebinarAbsent: {AbsentAgo}, NextStep: {NotReadyAgo, NotReadySeen},
	Watched: {WatchedAgo, ClickedAgo}, PromisedFollow: {PromisedAgo}, Nurture: {QuietDays, NotReached, NeverContacted},
	RefillDue: {UsualCycle, CompanyCycle}, Lapsed: {UsualCycle, CompanyCycle}, FirstOrder: {FirstOrderAgo}, AskPromote: {LoyalOrders},
	CheckIn: {QuietDays, NotReached, NeverContacted}, Registered: {RegisteredAgo, WebinarToday}, Joined: {JoinedAgo}, Visiting: {VisitedAgo},
}

// Reasons returns the reasons for which a trigger opens: the first one of each of its suggestions.
func (t TriggerID) Reasons() []ReasonCode {
	if t >= Own1 {
		return []ReasonCode{OwnMoment}
	}
	return openers[t]
}

// String returns the stable name, such as "usual_cycle".
func (c ReasonCode) String() string { return nameOf(reasonNames[:], c) }

// ParseReasonCode finds a reason code by its stable name.
func ParseReasonCode(s string) (ReasonCode, bool) { return parse[ReasonCode](reasonNames[:], s) }
