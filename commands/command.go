package commands

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxAmount is the largest number of nodes (or GiB, or disks) that a command
// can name; limits of the group are the caller's.
const MaxAmount = 1_000_000

// MaxLength is the longest command in runes.
const MaxLength = 4000

// MaxTerm is the longest prepaid term in months.
const MaxTerm = 60

// MaxDuration is the longest duration that a command can name.
const MaxDuration = 3650 * 24 * time.Hour

// Command is what a person typed, parsed, still in the person's own words. The
// fields that a verb doesn't take are zero. It holds no guess: a number that
// was not typed is zero, and the caller decides what that means.
type Command struct {
	Verb Verb
	// Raw is the text as Slack delivered it, for the audit. Never show it
	// unescaped.
	Raw string

	Scale    *Scale        // of VerbScale, and of VerbPolicy when a command is to be explained
	Topic    Verb          // of VerbHelp; "" = everything
	Cluster  string        // in the vocabulary's spelling where it knows the name
	Centre   string        // of VerbBudget; "" = all
	Mandate  *Mandate      // of VerbMandate: to sign; nil = list them, or Revoke
	Revoke   string        // of VerbMandate: always "M-" and capitals
	Flow     string        // always "F-" and capitals; whether it exists is the caller's to find out
	Withdraw bool          // of VerbApprove: take the approval back
	Duration time.Duration // of VerbExtend, and of VerbFreeze (0 = until unfrozen)
	Reason   string        // of VerbDeny and VerbFreeze; as typed, may span lines
}

// Scale is a wish to change the size of one group.
type Scale struct {
	Cluster, Group string // in the vocabulary's spelling where it knows them

	Op string // "+" add, "-" remove, "=" make it exactly
	N  int    // 1..MaxAmount; 0 only with "=", which empties the group

	Charge string // "", "postpaid", "prepaid" or "spot"; "" = the group's
	Months int    // term of prepaid, 1..MaxTerm; 0 = not said: the caller takes the group's default or refuses
	Renew  *bool  // nil = not said

	InstanceType string
	Disks        []Disk
	Zone         string
	Nodes        []string      // as typed, each once
	Drain        time.Duration // 0 = not said
	Start        *bool         // nil = not said
	Bootstrap    *bool         // nil = not said
	Tags         map[string]string

	For    time.Duration // 0 = for good
	At     *When         // nil = as soon as it may
	DryRun bool
	// BreakGlass asks to run without the ballot; whether this person may is the
	// caller's to find out.
	BreakGlass bool
	Reason     string // as typed, may span lines
}

// Disk is one kind of data disk for each new node.
type Disk struct {
	Type    string // the cloud's own name
	SizeGiB int    // each; 1..MaxAmount
	Count   int    // 1..MaxAmount
}

// The charge modes as they are typed.
const (
	Postpaid = "postpaid"
	Prepaid  = "prepaid"
	Spot     = "spot"
)

// Display is the canonical line of the command, without the slash word, as a
// person types it: what to show, literally, for them to copy. Slack turns it
// into the form of String on its way back.
func (c Command) Display() string { return unwrap(c.String()) }

// String is the canonical line of the command, without the slash word, in
// Slack's wire form (a "<" in a reason stands as "&lt;"): Parse reads it back as
// an equal Command under the same vocabulary. Shown to people it would ask them
// to copy the entities too; show Display.
func (c Command) String() string {
	b := &line{}
	if c.Verb != VerbScale {
		b.put(string(c.Verb))
	}
	switch {
	case c.Scale != nil:
		if _, taken := verbOf(c.Scale.Cluster); taken && c.Verb == VerbScale {
			b.put(string(VerbScale))
		}
		c.Scale.write(b)
		return b.String()
	case c.Topic != "":
		b.put(string(c.Topic))
	case c.Mandate != nil:
		c.Mandate.write(b)
	case c.Revoke != "":
		b.put("revoke " + c.Revoke)
	}
	if c.Cluster != "" {
		b.put(spell(c.Cluster))
	}
	if c.Centre != "" {
		b.put(spell(c.Centre))
	}
	if c.Flow != "" {
		b.put(c.Flow)
	}
	if c.Withdraw {
		b.put("withdraw")
	}
	if c.Duration != 0 {
		if c.Verb == VerbFreeze {
			b.put("for")
		}
		b.put(spellDuration(c.Duration))
	}
	b.reason(c.Reason)
	return b.String()
}

func (s *Scale) write(b *line) {
	b.put(spell(s.Cluster))
	b.put(spell(s.Group))
	b.put(s.Op + strconv.Itoa(s.N))
	if s.Charge != "" {
		b.put(s.Charge)
	}
	if s.Months != 0 {
		b.put(spellTerm(s.Months))
	}
	b.flag("renew", s.Renew)
	b.option("spec", s.InstanceType)
	for _, d := range s.Disks {
		b.option("disk", d.Type+":"+strconv.Itoa(d.SizeGiB)+"x"+strconv.Itoa(d.Count))
	}
	b.option("zone", s.Zone)
	b.option("nodes", strings.Join(s.Nodes, ","))
	if s.Drain != 0 {
		b.put("drain=" + spellDuration(s.Drain))
	}
	b.flag("start", s.Start)
	b.flag("bootstrap", s.Bootstrap)
	for _, k := range slices.Sorted(maps.Keys(s.Tags)) {
		if v := s.Tags[k]; isPlain(k) && (v == "" || isPlain(v)) {
			b.put("tag=" + k + "=" + v)
		} else {
			b.put("tag=" + Wire(spell(k+"="+v)))
		}
	}
	if s.For != 0 {
		b.put("for")
		b.put(spellDuration(s.For))
	}
	if s.At != nil {
		b.put("at")
		b.put(s.At.String())
	}
	if s.DryRun {
		b.put("dry-run")
	}
	if s.BreakGlass {
		b.put("break-glass")
	}
	b.reason(s.Reason)
}

func spellTerm(months int) string { return strconv.Itoa(months) + "m" }

// line puts words behind each other.
type line struct{ strings.Builder }

func (b *line) put(word string) {
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(word)
}

func (b *line) option(name, value string) {
	if value != "" {
		b.put(name + "=" + spell(value))
	}
}

func (b *line) flag(name string, v *bool) {
	switch {
	case v == nil:
	case *v:
		b.put(name)
	default:
		b.put("no-" + name)
	}
}

// reason is always the last: behind "--" text of any kind needs no quotes.
func (b *line) reason(text string) {
	if text != "" {
		b.put("-- " + Wire(text))
	}
}
