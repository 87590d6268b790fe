package config

import (
	"fmt"
	"slices"
	"time"

	"scalebot/bot/flow"
)

// budgets makes the cost centres and warns of what can't be meant: a centre that
// no cluster has, a cluster whose label names none.
func (b *builder) budgets() {
	k := b.file.Budgets
	if k == nil {
		return
	}
	path := []string{"budgets"}
	out := flow.Budgets{Label: k.Label, Centres: map[string]flow.Centre{}}
	for name, c := range k.Centres {
		out.Centres[name] = flow.Centre{Monthly: c.Monthly, Currency: c.Currency}
	}
	if zone := below(path, "zone"); !b.overlaps(zone) {
		loaded, err := time.LoadLocation(k.Zone)
		// "" and Local would be the zone of whichever machine runs the replica.
		if err != nil || k.Zone == "" || k.Zone == "Local" {
			b.at(zone, fmt.Sprintf("must be a time zone such as Asia/Shanghai or UTC, not %q", k.Zone), "")
		}
		out.Zone = loaded
	}
	if len(k.Centres) == 0 && !b.overlaps(below(path, "centres")) {
		b.at(below(path, "centres"), "names no cost centre: leave budgets out for none", "")
	}
	b.cfg.Budgets = out
	if k.Label == "" {
		return
	}
	var used []string
	for _, name := range sorted(b.file.Clusters) {
		centre, labelled := b.file.Clusters[name].Labels[k.Label]
		if _, ok := out.Centres[centre]; ok {
			used = append(used, centre)
		} else if labelled {
			b.warn([]string{"clusters", name, "labels", k.Label}, fmt.Sprintf("names cost centre %q, which budgets.centres does not have: its budget is unknown", centre))
		} else {
			b.warn([]string{"clusters", name}, fmt.Sprintf("has no label %s, so no cost centre: its budget is unknown", k.Label))
		}
	}
	for _, name := range sorted(out.Centres) {
		if !slices.Contains(used, name) {
			b.warn(below(below(path, "centres"), name), "is the cost centre of no cluster")
		}
	}
}
