package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
	"scalebot/providers/cloudsim"
)

// fleet is a site with many clusters on three clouds, each with a channel of its
// own, several replicas of the real program, and all that was asked for.
type fleet struct {
	*site
	clusters []string          // names in the config
	cloudIDs map[string]string // by name
	rooms    map[string]string // channel by cluster
	replicas []*process
	asked    map[string]string // flow id → what was asked, of every answer that said "recorded"
	unsure   []string          // what was asked where the person saw no answer
}

// fleetSpeed makes the usual scale-out of 6 min 12 s take two seconds.
const fleetSpeed = 180

// wishes are what is asked of every cluster, no amount twice: so each line of a
// cloud's ledger belongs to exactly one flow.
var wishes = map[string][]string{
	"emr": {"task +1", "task +2", "task +3", "task +4", "task -1"},
	"ack": {"workers +1", "workers +2", "legacy +3", "workers +4", "workers -1"},
	"mrs": {"task +1", "task +2", "task +3", "task +4", "task -1"},
}

var listens = regexp.MustCompile(`http: \{listen: "[^"]*"\}`)

// newFleet has n clusters on each of the three clouds.
func newFleet(t *testing.T, n int, p place) *fleet {
	t.Helper()
	f := &fleet{cloudIDs: map[string]string{}, rooms: map[string]string{}, asked: map[string]string{}}
	world, demo := demoWorld(), cloudsim.Demo()
	p.clouds = cloudsim.Demo()
	p.clouds.Tencent.Clusters, p.clouds.Alibaba.Clusters, p.clouds.Huawei.Clusters = nil, nil, nil
	var config strings.Builder
	add := func(name, id, body string) {
		room := "C0" + strings.ToUpper(name)
		world.Channels = append(world.Channels, slacksim.Channel{ID: room, Name: name, Members: []string{mei, lin, chen, "U0SCALEBOT"}})
		f.clusters, f.cloudIDs[name], f.rooms[name] = append(f.clusters, name), id, room
		fmt.Fprintf(&config, "  %s:\n    id: %q\n%s", name, id, body)
	}
	for i := range n {
		emr := demo.Tencent.Clusters[0]
		emr.ID, emr.Name = fmt.Sprintf("emr-fleet%03d", i), fmt.Sprintf("fleet-%03d", i)
		emr.Groups = slices.Clone(emr.Groups)
		p.clouds.Tencent.Clusters = append(p.clouds.Tencent.Clusters, emr)
		add(fmt.Sprintf("emr%03d", i), emr.ID, `    account: data-gz
    groups: {task: {max: 50, params: {soft_deploy_info: [1, 2], service_node_info: [7], yarn_node_label: CLOUD, enable_start_service_flag: true}}}
`)
		ack := demo.Alibaba.Clusters[0]
		ack.ID, ack.Name = fmt.Sprintf("c%032x", 0xf1ee7000+i), fmt.Sprintf("fleet-%03d", i)
		ack.Pools = slices.Clone(ack.Pools)
		for j := range ack.Pools {
			ack.Pools[j].ID = fmt.Sprintf("npfleet%03d%d", i, j)
		}
		p.clouds.Alibaba.Clusters = append(p.clouds.Alibaba.Clusters, ack)
		add(fmt.Sprintf("ack%03d", i), ack.ID, fmt.Sprintf(`    account: ack-bj
    groups:
      workers: {node_pool: %s, max: 50}
      legacy:
        api: scale-out-cluster
        node_pool: %s
        max: 50
        params: {key_pair: ops, vswitch_ids: [vsw-1], worker_instance_types: [ecs.c5.xlarge], worker_system_disk_category: cloud_efficiency, worker_system_disk_size: 120}
`, ack.Pools[0].ID, ack.Pools[1].ID))
		mrs := demo.Huawei.Clusters[0]
		mrs.ID, mrs.Name = fmt.Sprintf("7f3a2c10-5d4e-4b8a-9c61-%012x", 0xf1ee7000+i), fmt.Sprintf("fleet-%03d", i)
		mrs.Groups = slices.Clone(mrs.Groups)
		p.clouds.Huawei.Clusters = append(p.clouds.Huawei.Clusters, mrs)
		add(fmt.Sprintf("mrs%03d", i), mrs.ID, `    account: mrs-n4
    groups: {task: {node_group: task_node_default_group, max: 50}}
`)
	}
	before, rest, ok := strings.Cut(demoConfig, "clusters:\n")
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, "\nprices:")
	require.True(t, ok)
	after, _, ok = strings.Cut(after, "  rules:")
	require.True(t, ok)
	p.text = before + "limits: {commands_per_user_per_minute: 5000, commands_per_channel_per_minute: 5000}\nclusters:\n" + config.String() +
		"prices:" + after + "  rules:\n    - {name: scale-in, when: 'change.delta < 0', require: {leads: 1}}\n"
	p.slack.World, p.slack.NoRateLimits, p.slack.Keep, p.speed = world, true, 200_000, fleetSpeed
	// Replicas on one machine can't all serve one address.
	p.edit = func(text string) string { return listens.ReplaceAllString(text, `http: {listen: ""}`) }
	f.site = newSiteIn(t, p)
	return f
}

// run starts n replicas. They serve no health: a site has one address for it.
func (f *fleet) run(n int) {
	f.t.Helper()
	for range n {
		f.replicas = append(f.replicas, f.start())
	}
	require.Eventually(f.t, func() bool { return f.slack.Connections() >= 2*n }, 30*time.Second, 20*time.Millisecond)
}

// kill ends a replica with -9 and starts another in its place.
func (f *fleet) kill(i int) {
	f.t.Helper()
	require.NoError(f.t, f.replicas[i].cmd.Process.Kill())
	<-f.replicas[i].done
	f.replicas[i] = f.start()
}

// freeze stops a replica's process for a time.
func (f *fleet) freeze(i int, d time.Duration) {
	f.t.Helper()
	require.NoError(f.t, f.replicas[i].cmd.Process.Signal(syscall.SIGSTOP))
	rest(d)
	require.NoError(f.t, f.replicas[i].cmd.Process.Signal(syscall.SIGCONT))
}

// rest lets real programs work for a time: what is tried here is what happens in
// the middle of it.
func rest(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// ask types one command. A person who sees that nothing was recorded, or that
// Slack could not reach the bot at all, asks again; one who sees no answer in time
// does not.
func (f *fleet) ask(cluster, what string) {
	f.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); rest(300 * time.Millisecond) {
		d := f.slack.Slash(mei, f.rooms[cluster], "/scale", cluster+" "+what)
		said := ""
		if d.Ephemeral != nil {
			said = d.Ephemeral.Text
		}
		switch id := flowID(said); {
		case id != "":
			f.asked[id] = cluster + " " + what
			return
		case strings.Contains(said, "finding out"), d.Err != nil && strings.Contains(d.Err.Error(), "timeout"):
			f.unsure = append(f.unsure, cluster+" "+what)
			return
		}
	}
	f.t.Fatalf("%s %s was never taken", cluster, what)
}

// flowID finds a flow's id in what was said to a person.
func flowID(said string) string {
	i := strings.Index(said, "F-")
	if i < 0 {
		return ""
	}
	end := i + 2
	for end < len(said) && strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", rune(said[end])) {
		end++
	}
	return said[i:end]
}

// wishes are all that is asked, as cluster and the rest, in a random order.
func (f *fleet) wishes(r *rand.Rand) (all [][2]string) {
	for _, c := range f.clusters {
		for _, w := range wishes[c[:3]] {
			all = append(all, [2]string{c, w})
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// approveAll lets the lead react on every card that waits for it.
func (f *fleet) approveAll() {
	for _, room := range f.rooms {
		for _, m := range f.slack.Messages(room) {
			if m.Metadata != nil && m.Metadata.EventType == "scalebot_flow" && m.Metadata.EventPayload["state"] == string(flow.AwaitingApproval) {
				_ = f.slack.React(chen, room, m.TS, "white_check_mark") // a second time is refused, and no matter
			}
		}
	}
}

// settle waits until every flow has ended or waits for a person to say what
// became of it.
func (f *fleet) settle(limit time.Duration) []line {
	f.t.Helper()
	var all []line
	done := func() bool {
		f.approveAll()
		code, out := f.tool("flows", "--json")
		if code != exitDone {
			return false
		}
		all = nil
		for text := range strings.Lines(out) {
			var l line
			if json.Unmarshal([]byte(text), &l) != nil {
				return false
			}
			all = append(all, l)
		}
		return len(waiting(all)) == 0
	}
	require.Eventually(f.t, done, limit, 500*time.Millisecond, "flows that have not ended: %s", f.open(&all))
	return all
}

// waiting are the flows that still have to come to something. One whose outcome
// cannot be told waits for a person, who is not played here, and holds its cluster
// against those behind it.
func waiting(all []line) (open []line) {
	held := map[string]bool{}
	for _, l := range all {
		if l.State == flow.Unknown {
			held[l.Cluster] = true
		}
	}
	for _, l := range all {
		if !l.State.Ended() && l.State != flow.Unknown && (l.State != flow.Queued || !held[l.Cluster]) {
			open = append(open, l)
		}
	}
	return open
}

type openFlows struct{ all *[]line }

func (f *fleet) open(all *[]line) fmt.Stringer { return openFlows{all} }

func (o openFlows) String() string {
	var b strings.Builder
	for _, l := range waiting(*o.all) {
		fmt.Fprintf(&b, "\n%s %s %s %s %s", l.ID, l.State, l.Cluster, l.Group, l.Wait)
	}
	return b.String()
}

// prove compares what the clouds' own ledgers say with the flows: nothing twice,
// nothing lost, and what people see is what is.
func (f *fleet) prove(all []line) {
	t := f.t
	t.Helper()
	byID := map[string]line{}
	ran := map[string]int{} // "cloud id delta" → flows that say they changed it
	for _, l := range all {
		byID[l.ID] = l
		if l.Delta == nil {
			continue
		}
		key := fmt.Sprintf("%s %+d", f.cloudIDs[l.Cluster], *l.Delta)
		if slices.Contains([]flow.State{flow.Succeeded, flow.Partial, flow.Unknown}, l.State) {
			ran[key]++
		}
	}
	for id, what := range f.asked {
		_, there := byID[id]
		require.True(t, there, "lost: %s %s was said to be recorded", id, what)
	}
	require.LessOrEqual(t, len(all), len(f.asked)+len(f.unsure), "a flow that nobody asked for")
	sent := map[string]int{}
	for _, e := range f.clouds.Ledger() {
		if e.Outcome == cloudsim.Accepted {
			sent[fmt.Sprintf("%s %+d", e.Cluster, e.Delta)]++
		}
	}
	unknown, behind, moved := 0, 0, 0
	for _, l := range all {
		key := fmt.Sprintf("%s %+d", f.cloudIDs[l.Cluster], *l.Delta)
		if l.State == flow.Unknown {
			unknown++
			require.LessOrEqual(t, sent[key], 1, "%s %s", l.ID, key)
			continue
		}
		if l.State == flow.Queued { // behind one of those
			behind++
			require.Zero(t, sent[key], "%s %s waits and was sent", l.ID, key)
			continue
		}
		if l.State == flow.Refused && l.End == string(flow.NoteMoved) {
			// Its group was moved by what is not on record as having moved it: it asks to be
			// asked again rather than to do twice what it may have done.
			moved++
			require.Zero(t, sent[key], "%s %s was refused and sent", l.ID, key)
			continue
		}
		require.Equal(t, flow.Succeeded, l.State, "%s %s (%s): nothing here leads to another end", l.ID, key, l.End)
		require.Equal(t, 1, sent[key], "%s %s: a change that succeeded was accepted once", l.ID, key)
	}
	for key, n := range sent {
		require.Equal(t, 1, n, "sent twice: %s", key)
		require.Equal(t, 1, ran[key], "done by no flow: %s", key)
	}
	// What a person sees: one card per flow that shows its end, and its notice once.
	wrong := ""
	right := func() bool {
		wrong = f.seen(byID)
		return wrong == ""
	}
	require.Eventually(t, right, 60*time.Second, 500*time.Millisecond, "%s", &lazily{&wrong})
	code, out := f.tool("audit", "--verify")
	require.Equal(t, exitDone, code, out)
	t.Logf("%d flows, %d accepted changes, %d left to a person and %d behind those, %d refused because the group had moved, %d commands whose answer nobody saw",
		len(all), len(sent), unknown, behind, moved, len(f.unsure))
}

type lazily struct{ s *string }

func (l *lazily) String() string { return *l.s }

func (f *fleet) seen(byID map[string]line) string {
	cards, notices := map[string]int{}, map[string]int{}
	for _, room := range f.rooms {
		for _, m := range f.slack.Messages(room) {
			if m.Metadata == nil {
				continue
			}
			id, _ := m.Metadata.EventPayload["flow"].(string)
			l, known := byID[id]
			if !known {
				return "a message of a flow that is not there: " + id
			}
			state := m.Metadata.EventPayload["state"]
			switch m.Metadata.EventType {
			case "scalebot_flow":
				if closed(m.Text) {
					continue
				}
				cards[id]++
				if state != string(l.State) {
					return fmt.Sprintf("the card of %s shows %v, and it is %s: %s", id, state, l.State, f.cardsOf(room, id))
				}
			case "scalebot_notice":
				notices[fmt.Sprint(id, " ", state)]++
			}
		}
	}
	for id, l := range byID {
		if cards[id] != 1 {
			return fmt.Sprintf("%s (%s) has %d open cards", id, l.State, cards[id])
		}
		if n := notices[fmt.Sprint(id, " ", l.State)]; n != 1 && l.State.Told() {
			return fmt.Sprintf("%s (%s) has %d notices", id, l.State, n)
		}
	}
	return ""
}

// closed reports whether a card stays for a plan that is void, or from before there
// was one.
func closed(text string) bool {
	return strings.Contains(text, "replaced") || strings.Contains(text, "has a card of its own")
}

// cardsOf lists what stands in a room of one flow, for a failure's text.
func (f *fleet) cardsOf(room, id string) string {
	var b strings.Builder
	for _, m := range f.slack.Messages(room) {
		if m.Metadata != nil && m.Metadata.EventPayload["flow"] == id {
			fmt.Fprintf(&b, "\n  %s %s %v, edited %d times: %s", m.TS, m.Metadata.EventType, m.Metadata.EventPayload, m.Updates, m.Text)
		}
	}
	for _, r := range f.slack.Requests("chat.update", "chat.postMessage", "chat.delete", "conversations.history") {
		if r.Args["channel"] == room {
			fmt.Fprintf(&b, "\n  %s %s ts=%s status=%d error=%s effect=%v %.120s", r.At.Format("05.000"), r.Method, r.Args["ts"], r.Status, r.Error, r.Effect, r.Args["text"])
		}
	}
	return b.String()
}

// trouble injects one fault of a cloud that a call may meet.
func (f *fleet) trouble(r *rand.Rand) {
	kinds := []cloudsim.FaultKind{
		cloudsim.LostAfter, cloudsim.LostAfter, cloudsim.LostAfter, cloudsim.LostBefore, cloudsim.Throttled, cloudsim.ServerError, cloudsim.Garbage, cloudsim.Slow,
	}
	clouds := []string{cloudsim.Tencent, cloudsim.Alibaba, cloudsim.Huawei}
	_, err := f.clouds.Fault(cloudsim.Fault{Kind: kinds[r.IntN(len(kinds))], Cloud: clouds[r.IntN(len(clouds))], Delay: time.Second})
	require.NoError(f.t, err)
}
