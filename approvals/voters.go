package approvals

// VotersOf are the people who vote with reactions or with votes on record, in order
// of first appearance: those whom the caller must look up before Count.
func (p *Policy) VotersOf(b BallotFacts) []string {
	voters, _ := p.voters(b)
	ids := make([]string, len(voters))
	for i, v := range voters {
		ids[i] = v.id
	}
	return ids
}
