package ranking

// Cycle is a customer's reorder rhythm on one day, from the customer's own orders and the company's prior.
type Cycle struct {
	Own     int64 // the customer's own log-mean gap in days, at least 1; 0 when there is no second order yet
	Gap     int64 // days between orders: Own when Sure, else own log-mean gap, shrunk to the company's; at least 1
	Gaps    int64 // the customer's own gaps so far
	Sure    bool  // there are Reorder.OwnFrom own gaps: they alone decide
	Elapsed int64 // days since the last order
	Due     Day   // the last order plus Gap
	Alive   int64 // Q16: the chance that the customer has not left for good
	Buy     int64 // Q16: the chance of an order within Reorder.Horizon days, nobody asking
	Logit   int64 // ln-odds of Buy in milli-nats
	Unasked int64 // the same with the scorecard: what is known of an order that nobody asks for
}

// maxSpan and maxWeight bound days and numbers of the playbook, so that damaged ones cannot overflow: 2,700 years.
const (
	maxSpan   = 1_000_000
	maxWeight = 1 << 24
)

// Cycle computes the reorder rhythm; ok is false when the contact has no order yet.
//
// With x repeat order days, tx days from the first order to the last and T days from the first to today:
//
//	Gap   = 2^((k·log2 M + sum of log2 gaps) / (k + x))                   credibility-weighted log-mean, while x < OwnFrom
//	Gap   = 2^(sum of log2 gaps / x)                                      the customer's own, from then on
//	D     = (r+x)·(log2(α+T) - log2(α+tx)) + log2 a - log2(b+x)           MBG/NBD, Batislam et al. 2007
//	Alive = 1 / (1 + 2^D)
//	Buy   = Alive · (1 - 2^-((r+x)·(log2(α+T+H) - log2(α+T))))            Fader, Hardie, Lee 2005
func (p *Reorder) Cycle(today Day, f *Facts) (c Cycle, ok bool) {
	if !p.pace(today, f, &c) {
		return c, false
	}
	p.life(today, f, &c)
	return c, true
}

// pace fills in the days of a cycle, up to Due.
func (p *Reorder) pace(today Day, f *Facts, c *Cycle) bool {
	if f.Orders == 0 {
		return false
	}
	x := int64(f.Orders) - 1
	k := min(max(p.Prior, 1), maxWeight)
	sum := min(int64(f.GapLog2Sum), x*Log2(maxSpan))
	log2Gap := (k*Log2(max(p.MedianGap, 1)) + sum*256) / (k + x*256)

	c.Own = 0
	if x > 0 {
		c.Own = max((Exp2(sum/x)+One/2)/One, 1)
	}
	c.Gaps, c.Sure = x, p.OwnFrom > 0 && x >= p.OwnFrom
	c.Gap = c.Own
	if !c.Sure || x == 0 {
		c.Gap = max((Exp2(log2Gap)+One/2)/One, 1)
	}
	c.Elapsed = clampSpan(today.since(f.LastOrder().Day()))
	c.Due = f.LastOrder().Day().plus(c.Gap)
	return true
}

// life fills in the chances of a cycle.
func (p *Reorder) life(today Day, f *Facts, c *Cycle) {
	x := c.Gaps
	tx := clampSpan(int64(f.LastOrder()) - int64(f.FirstOrder))
	span := max(clampSpan(today.since(f.FirstOrder.Day())), tx)
	alpha := min(max(p.Alpha, 1), maxWeight)
	a, b := min(max(p.A, 1), maxWeight), min(max(p.B, 1), maxWeight)
	rate := min(max(p.R, 1), maxWeight) + x<<16 // Q16
	logNow := Log2(alpha + span*256)
	d := rate*(logNow-Log2(alpha+tx*256))>>16 + Log2(a) - Log2(b+x<<16)
	c.Alive = sigmoid2(-d)
	none := rate * (Log2(alpha+(span+min(max(p.Horizon, 0), maxSpan))*256) - logNow) >> 16
	c.Buy = (c.Alive*(One-min(Exp2(-none), One)) + One/2) >> 16
	c.Logit = Logit(c.Buy)
	c.Unasked = p.Intercept + c.Logit*p.Weight/milliPerOne
	for r := range NumRhythms {
		if len(p.Card[r]) > 0 {
			c.Unasked += stair(p.Card[r], c.rhythm(r, today, f))
		}
	}
}

// Rhythms returns what Reorder.Card is looked up by.
func (c *Cycle) Rhythms(today Day, f *Facts) (values [NumRhythms]int64) {
	for r := range NumRhythms {
		values[r] = c.rhythm(r, today, f)
	}
	return values
}

func (c *Cycle) rhythm(r Rhythm, today Day, f *Facts) int64 {
	switch r {
	case Repeats:
		return c.Gaps
	case Ratio:
		return c.ratio()
	case Elapsed:
		return c.Elapsed
	case Tenure:
		return clampSpan(today.since(f.FirstOrder.Day()))
	case Recent:
		n := int64(0)
		for i := range min(int(f.Orders), len(f.OrderDays)) {
			if ago := today.since(f.OrderDays[i].Day()); ago >= 0 && ago < recentDays {
				n++
			}
		}
		return n
	case RepeatsRatio:
		return RepeatClass(c.Gaps)*10_000 + min(c.ratio(), 9_999)
	}
	return 0
}

// recentDays is the time that Recent looks back.
const recentDays = 90

// RepeatClass sorts counts of repeat orders: 0, 1, 2, 3 to 4, 5 to 8, more.
func RepeatClass(repeats int64) int64 {
	class := int64(0)
	for _, above := range [...]int64{0, 1, 2, 4, 8} {
		if repeats > above {
			class++
		}
	}
	return class
}

// ratio returns the hundredths of the cycle that have passed since the last order.
func (c *Cycle) ratio() int64 { return c.Elapsed * 100 / max(c.Gap, 1) }

func clampSpan(days int64) int64 { return min(max(days, 0), maxSpan) }

// reached says whether so many hundredths of the cycle have passed.
func (c *Cycle) reached(hundredths int64) bool { return c.Elapsed*100 >= c.Gap*hundredths }

// dayAt returns the first day on which so many hundredths of the cycle have passed.
func (c *Cycle) dayAt(last Day, hundredths int64) Day {
	return last.plus((c.Gap*clampSpan(hundredths) + 99) / 100)
}

// ownTells says whether the customer's own gap explains what Gap decides: it is the same, or within a fifth of it.
func (c *Cycle) ownTells() bool {
	return c.Own > 0 && max(c.Own-c.Gap, c.Gap-c.Own)*5 <= c.Gap
}
