package flow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"scalebot/approvals"
)

// Membership is in which of some groups, or among whose people, somebody is.
type Membership struct {
	In     []string
	Unread []string // could not be asked about: nobody knows
}

// Rights are what config lets a person do, as far as Slack told who they are.
type Rights struct {
	Groups        Membership // approver groups
	Clusters      Membership // whose changes they may ask for
	Settles       bool       // may decide about flows whose outcome is unknown
	SettlesUnread bool       // whether they may could not be read
}

// Rights tells what a person may do; see FrontDesk.
func (d *Desk) Rights(ctx context.Context, user string) Rights {
	r := Rights{Groups: d.groupsOf(ctx, user)}
	for _, name := range d.Options.Catalog.Names() {
		asks := d.Options.Catalog[name].Requesters
		if asks == nil {
			r.Clusters.In = append(r.Clusters.In, name)
			continue
		}
		switch in, err := d.isIn(ctx, user, *asks); {
		case err != nil:
			r.Clusters.Unread = append(r.Clusters.Unread, name)
		case in:
			r.Clusters.In = append(r.Clusters.In, name)
		}
	}
	r.Settles = d.settles(r.Groups.In)
	r.SettlesUnread = !r.Settles && d.settles(r.Groups.Unread)
	return r
}

// settles reports whether one of some approver groups may settle.
func (o *Options) settles(groups []string) bool {
	return slices.ContainsFunc(o.settlers(), func(name string) bool { return slices.Contains(groups, name) })
}

// groupsOf is a person's place in the approver groups of config. That a group
// can't be read is in the logs: its name alone does not say why.
func (d *Desk) groupsOf(ctx context.Context, user string) Membership {
	var m Membership
	for _, name := range d.groupNames() {
		switch in, err := d.isIn(ctx, user, d.Approvals.Groups[name]); {
		case err != nil:
			d.Logger.Warn("an approver group can't be read", "group", name, "error", err)
			m.Unread = append(m.Unread, name)
		case in:
			m.In = append(m.In, name)
		}
	}
	return m
}

// approves names the approver groups that a person is in. Where one can't be read,
// and they are in none of the others, nothing may be said.
func (d *Desk) approves(ctx context.Context, user string) ([]string, error) {
	m := d.groupsOf(ctx, user)
	if len(m.In) == 0 && len(m.Unread) > 0 {
		return nil, personUnread(fmt.Errorf("approver groups can't be read: %s", strings.Join(m.Unread, ", ")))
	}
	return m.In, nil
}

// inOneOf reports whether a person is in one of the approver groups. Where that
// turns on a group that can't be read it is a rejection: nobody is let through,
// and nobody is told that they may not. It stops at the first group that they are
// in, since a look-up may stand before an ack.
func (d *Desk) inOneOf(ctx context.Context, user string, groups []string) (bool, error) {
	var unread error
	for _, name := range groups {
		group, known := d.Approvals.Groups[name]
		if !known {
			continue // it left config since, and nobody is in it
		}
		in, err := d.isIn(ctx, user, group)
		if in {
			return true, nil
		}
		if err != nil {
			unread = err
		}
	}
	return false, personUnread(unread)
}

// isIn reports whether a person is in a group of config.
func (o *Options) isIn(ctx context.Context, user string, g approvals.Group) (bool, error) {
	members, err := o.Directory.Members(ctx, g)
	return err == nil && slices.Contains(members, user), err
}

// personUnread is the rejection of somebody whose groups could not be read.
func personUnread(err error) error {
	if err == nil {
		return nil
	}
	return &Rejection{Code: RejectPerson, Err: err}
}

// settlers are the groups whose people may settle.
func (o *Options) settlers() []string {
	if len(o.Settle) > 0 {
		return o.Settle
	}
	return o.groupNames()
}

// groupNames are the approver groups of config in order.
func (o *Options) groupNames() []string { return slices.Sorted(maps.Keys(o.Approvals.Groups)) }
