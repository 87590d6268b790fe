package approvals

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// Plan is the thing that people vote on.
type Plan struct {
	Change providers.Change `json:"change"`
	Base   int              `json:"base"`   // nodes in the group when planned
	Target int              `json:"target"` // nodes in the group afterwards: absolute
	Status string           `json:"status"` // of the cluster, the cloud's word
	Nodes  int              `json:"nodes"`  // of the whole cluster when planned
	Quote  providers.Quote  `json:"quote"`
	// Warnings are the cloud's about this group; they are shown and not voted on.
	Warnings []providers.Text `json:"warnings,omitempty"`
	Hash     string           `json:"hash"` // see NewPlan
}

// NewPlan ties a resolved change, the snapshot it was resolved against and its
// quote together. The hash covers the whole change, base and target, and every
// amount of the quote; not the times of observation, so that looking twice at
// an unmoved world gives the same plan.
func NewPlan(c providers.Change, s providers.Snapshot, q providers.Quote) Plan {
	g, _ := s.Group(c.GroupID)
	p := Plan{Change: c, Base: g.Count, Target: g.Count + c.Delta, Status: s.Status, Quote: q, Warnings: g.Warnings}
	for _, g := range s.Groups {
		p.Nodes += g.Count
	}
	p.Hash = p.digest()
	return p
}

func (p Plan) digest() string {
	canonical, err := json.Marshal(struct {
		Change                     providers.Change
		Base, Target               int
		Known                      bool
		Currency                   string
		Hourly, Monthly, Committed string
	}{p.Change, p.Base, p.Target, p.Quote.Known, p.Quote.Currency, plain(p.Quote.Hourly), plain(p.Quote.Monthly), plain(p.Quote.Committed)})
	if err != nil {
		panic("approvals: a plan is plain data: " + err.Error())
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// plain writes equal amounts equally: 3.5 and 3.50 are one price.
func plain(d decimal.Decimal) string { return d.Rat().RatString() }
