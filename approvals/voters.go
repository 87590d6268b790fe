package approvals

// Voters are the user ids that hold a reaction which means something, in order
// of first appearance: the people whom the caller must look up before Count.
func (p *Policy) Voters(reactions []Reaction) []string {
	voters, _ := p.voters(BallotFacts{Reactions: reactions})
	ids := make([]string, len(voters))
	for i, v := range voters {
		ids[i] = v.id
	}
	return ids
}
