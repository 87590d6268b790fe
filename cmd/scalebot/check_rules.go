package main

import (
	"context"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/slackapp"
)

// placesOf are the node groups of a cluster, as rules see them.
func placesOf(c flow.Cluster) []approvals.Place {
	var places []approvals.Place
	for _, name := range c.GroupNames() {
		g := c.Groups[name]
		places = append(places, approvals.Place{
			Cluster: c.Name, Group: name, Kind: c.Kind, Account: c.Account, Labels: c.Labels,
			Charge: g.Charge, Min: g.Min, Max: g.Max, MaxStep: g.MaxStep,
		})
	}
	return places
}

// policy compiles the rules; config has told what is wrong with them.
func (d *doctor) policy() *approvals.Policy {
	p, _ := approvals.Compile(d.cfg.Approvals)
	return p
}

// rules warns of those that can never match.
func (d *doctor) rules() {
	var all []approvals.Place
	for _, name := range d.cfg.Catalog.Names() {
		all = append(all, placesOf(d.cfg.Catalog[name])...)
	}
	for _, idle := range d.policy().Idle(all) {
		d.warn("rule %s matched none of %d plausible requests (every cluster and group, each approver group, way of paying, size, price and hour that it reads): is it written as it is meant?", idle.Rule, idle.Tried)
	}
}

// shortfalls warns of requirements that people who may ask can't get filled.
func (d *doctor) shortfalls(ctx context.Context, app *slackapp.App, members map[string][]string) {
	policy := d.policy()
	for _, name := range d.cfg.Catalog.Names() {
		c := d.cfg.Catalog[name]
		var requesters []string
		if c.Requesters != nil {
			found, err := app.Members(ctx, *c.Requesters)
			if err != nil {
				d.fail(readGroup("clusters."+name+".requesters"), "the requesters of cluster %s can't be read: %v", name, err)
				continue
			}
			if len(found) == 0 {
				continue // config has warned of it
			}
			requesters = found
		}
		for _, s := range policy.Shortfalls(name, placesOf(c), requesters, members) {
			d.warn("%s", s)
		}
	}
}
