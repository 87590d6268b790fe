package approvals

// Voters are the user ids that hold a reaction which means something, in order
// of first appearance: the people whom the caller must look up before Count,
// beside those of the votes on record.
func (p *Policy) Voters(reactions []Reaction) []string {
	return p.VotersOf(BallotFacts{Reactions: reactions})
}

// VotersOf are the people who vote with reactions or with votes on record: those
// whom the caller must look up before Count.
func (p *Policy) VotersOf(b BallotFacts) []string {
	voters, _ := p.voters(b)
	ids := make([]string, len(voters))
	for i, v := range voters {
		ids[i] = v.id
	}
	return ids
}
