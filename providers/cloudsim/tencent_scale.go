package cloudsim

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenLife is how long a ClientToken protects (ScaleOutCluster, ClientToken).
const tokenLife = 5 * time.Minute

// tcTerms are the prepaid terms on offer, in months.
var tcTerms = []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24, 36, 48, 60}

// tcToken is an accepted order under a client token.
type tcToken struct {
	at     time.Time
	body   string // canonical
	answer map[string]any
	entry  int // its line of the ledger
}

type tcTag struct {
	TagKey   string `tc:"required"`
	TagValue string `tc:"required"`
}

type tcDisk struct {
	Count            *int64
	DiskType         string
	DiskSize         *int64
	ExtraPerformance int64
}

type tcSpec struct {
	InstanceType  string
	SystemDisk    []tcDisk
	DataDisk      []tcDisk
	LocalDataDisk []tcDisk
	Tags          []tcTag
}

// scaleOutParams is ScaleOutCluster, document section 2, field by field.
type scaleOutParams struct {
	InstanceChargeType string `tc:"required"`
	InstanceId         string `tc:"required"`
	ScaleOutNodeConfig struct {
		NodeFlag  string `tc:"required"`
		NodeCount uint64 `tc:"required"`
	} `tc:"required"`
	ClientToken           string
	InstanceChargePrepaid *struct {
		Period    *int64
		RenewFlag bool
	}
	ScriptBootstrapActionConfig []struct {
		CosFileURI      string `tc:"required"`
		ExecutionMoment string `tc:"required"`
		Args            []string
		CosFileName     string
		Remark          string
	}
	SoftDeployInfo                []int64
	ServiceNodeInfo               []int64
	DisasterRecoverGroupIds       []string
	Tags                          []tcTag
	HardwareSourceType            string
	PodSpecInfo                   map[string]any
	ClickHouseClusterName         string
	ClickHouseClusterType         string
	YarnNodeLabel                 string
	EnableStartServiceFlag        bool
	ResourceSpec                  *tcSpec
	Zone                          string
	SubnetId                      string
	ScaleOutServiceConfGroupsInfo []struct {
		ServiceComponentName string `tc:"required"`
		ConfGroupName        string `tc:"required"`
	}
	NodeMarks map[string]any
}

// scaleOut is ScaleOutCluster.
//
// A repeat with the same token within five minutes gets the first answer again
// and orders nothing. Two things the document leaves open are decided strictly:
// the same token with another body is refused, and the document's own example,
// PREPAID without InstanceChargePrepaid, is refused as its parameter table says.
func (t *tencent) scaleOut(c *tencentCall) (map[string]any, error) {
	var p scaleOutParams
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	c.entry.Token, c.entry.Group = p.ClientToken, p.ScaleOutNodeConfig.NodeFlag
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	if answer, err := t.repeated(c, p.ClientToken); answer != nil || err != nil {
		return answer, err
	}
	g, err := t.checkScaleOut(cl, &p)
	if err != nil {
		return nil, err
	}
	spec, err := t.checkSpec(cl, g, &p)
	if err != nil {
		return nil, err
	}
	if err := t.ready(cl, c.at); err != nil {
		return nil, err
	}
	n := p.ScaleOutNodeConfig.NodeCount
	if p.InstanceChargeType != "PREPAID" && n > uint64(max(t.quota-t.ordered(cl, p.InstanceChargeType == "SPOTPAID"), 0)) {
		return nil, refuse("LimitExceeded", "%d nodes are more than the account's remaining quota in %s", n, cl.Zone)
	}
	if err := t.refusedByFault(c); err != nil {
		return nil, err
	}

	order := t.sim.nextID("tencent-order")
	f := &tcFlow{
		name: "扩容集群", cluster: cl, group: g,
		stages: t.scaleOutStages(p.EnableStartServiceFlag), starts: p.EnableStartServiceFlag,
	}
	for range n {
		node := t.newNode(cl, g.Flag, spec, p.InstanceChargeType, c.at)
		node.order, node.tags = order[:16], p.Tags
		if p.Zone != "" {
			node.zone = p.Zone
		}
		if p.InstanceChargeType == "PREPAID" {
			node.expires, node.renew = c.at.AddDate(0, int(months(&p)), 0), p.InstanceChargePrepaid.RenewFlag
		}
		f.add = append(f.add, node)
	}
	t.launch(c, f)
	answer := map[string]any{
		"InstanceId": cl.ID, "ClientToken": p.ClientToken, "FlowId": f.id, "TraceId": f.trace,
		"DealNames": []string{order[:16]}, "BillId": order[16:32],
	}
	if p.ClientToken != "" {
		t.tokens[tokenKey(c, p.ClientToken)] = tcToken{
			at: c.at, body: canonicalJSON(c.body), answer: answer, entry: t.sim.journal.n + 1,
		}
	}
	return answer, nil
}

func months(p *scaleOutParams) int64 {
	if p.InstanceChargePrepaid.Period == nil {
		return 1
	}
	return *p.InstanceChargePrepaid.Period
}

// repeated answers a request whose token was accepted within its life. A token
// whose first request was refused protects nothing and may be used again.
func (t *tencent) repeated(c *tencentCall, token string) (map[string]any, error) {
	for k, old := range t.tokens {
		if c.at.Sub(old.at) >= tokenLife {
			delete(t.tokens, k)
		}
	}
	old, ok := t.tokens[tokenKey(c, token)]
	if !ok || token == "" {
		return nil, nil
	}
	if old.body != canonicalJSON(c.body) {
		return nil, refuse("InvalidParameter.InvalidClientToken", "ClientToken was used for another request")
	}
	c.entry.Outcome, c.entry.DuplicateOf = Duplicate, old.entry
	if id, ok := old.answer["FlowId"].(int64); ok {
		f := t.flows[id]
		c.entry.Operation, c.entry.Group, c.entry.Delta = strconv.FormatInt(id, 10), f.group.Flag, len(f.add)
	}
	return maps.Clone(old.answer), nil // answering writes its own RequestId into it
}

func tokenKey(c *tencentCall, token string) string {
	return c.account + "/" + c.region + "/" + c.action + "/" + token
}

// canonicalJSON is a body without the accidents of spacing and order.
func canonicalJSON(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return string(body)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(body)
	}
	return string(out)
}

// scalable says which groups this cluster may resize: COMMON never, MASTER only
// in special products.
func scalable(cl *tcCluster, flag string) bool {
	switch flag {
	case "TASK", "CORE", "ROUTER":
		return true
	case "MASTER":
		return cl.ScaleMaster
	default:
		return false
	}
}

func (t *tencent) checkScaleOut(cl *tcCluster, p *scaleOutParams) (*tcGroup, error) {
	flag := p.ScaleOutNodeConfig.NodeFlag
	g := cl.group(flag)
	if !scalable(cl, flag) || g == nil {
		return nil, refuse(codeNodeFlag, "NodeFlag `%s` is not valid for this cluster", flag)
	}
	if p.ScaleOutNodeConfig.NodeCount < 1 || p.ScaleOutNodeConfig.NodeCount > 100_000 {
		return nil, refuse("InvalidParameter.InvalidNodeCount", "NodeCount %d is out of range", p.ScaleOutNodeConfig.NodeCount)
	}
	if err := checkCharge(flag, p); err != nil {
		return nil, err
	}
	for _, s := range p.ScriptBootstrapActionConfig {
		if !slices.Contains([]string{"resourceAfter", "clusterAfter", "clusterBefore"}, s.ExecutionMoment) {
			return nil, refuse(codeInvalid, "ExecutionMoment `%s` is not valid", s.ExecutionMoment)
		}
	}
	for _, id := range p.SoftDeployInfo {
		if _, ok := cl.Services[id]; id < 1 || cl.Services != nil && !ok {
			return nil, refuse("InvalidParameter.InvalidSoftDeployInfo", "service %d is not deployed in this cluster", id)
		}
	}
	for _, id := range p.ServiceNodeInfo {
		if _, ok := cl.Processes[id]; id < 1 || cl.Processes != nil && !ok {
			return nil, refuse(codeInvalid, "process %d is not known in this cluster", id)
		}
	}
	switch {
	case len(p.DisasterRecoverGroupIds) > 1:
		return nil, refuse(codeInvalid, "only one of DisasterRecoverGroupIds can be given")
	case p.Zone != "" && !strings.HasPrefix(p.Zone, cl.Region+"-"):
		return nil, refuse(codeInvalid, "Zone `%s` is not in %s", p.Zone, cl.Region)
	}
	if err := checkTags(p.Tags); err != nil {
		return nil, err
	}
	// The page spells the kinds HOST, POD, MNode, the SDK's text host, pod.
	pod := false
	switch p.HardwareSourceType {
	case "", "HOST", "host":
	case "POD", "pod":
		pod = true
	default:
		return nil, refuse(codeInvalid, "HardwareSourceType `%s` is not offered for this cluster", p.HardwareSourceType)
	}
	if pod != (p.PodSpecInfo != nil) {
		return nil, refuse(codeInvalid, "PodSpecInfo goes with HardwareSourceType POD and only with it")
	}
	if p.ClickHouseClusterName != "" || p.ClickHouseClusterType != "" {
		if !cl.ClickHouse {
			return nil, refuse(codeInvalid, "this is not a ClickHouse cluster")
		}
		if t := strings.ToLower(p.ClickHouseClusterType); t != "new" && t != "old" {
			return nil, refuse(codeInvalid, "ClickHouseClusterType must be new or old, got `%s`", p.ClickHouseClusterType)
		}
	}
	return g, nil
}

func checkCharge(flag string, p *scaleOutParams) error {
	switch p.InstanceChargeType {
	case "POSTPAID_BY_HOUR":
	case "SPOTPAID":
		if flag != "TASK" {
			return refuse("InvalidParameter.InvalidInstanceChargeType", "SPOTPAID is for task nodes only")
		}
	case "PREPAID":
		if p.InstanceChargePrepaid == nil {
			return refuse(codeMissing, "The request is missing a required parameter `InstanceChargePrepaid`.")
		}
		if !slices.Contains(tcTerms, months(p)) {
			return refuse(codeInvalid, "Period %d is not offered", months(p))
		}
		return nil
	default:
		return refuse("InvalidParameter.InvalidInstanceChargeType", "InstanceChargeType `%s` is not valid", p.InstanceChargeType)
	}
	if p.InstanceChargePrepaid != nil {
		// Not documented; a term sent with hourly nodes is a mistake either way.
		return refuse("InvalidParameter.PayModeResourceNotMatch", "InstanceChargePrepaid goes with PREPAID only")
	}
	return nil
}

func checkTags(tags []tcTag) error {
	for _, tag := range tags {
		if tag.TagKey == "" {
			return refuse(codeInvalid, "TagKey is empty")
		}
	}
	return nil
}

// Disk types of ResourceSpec. CLOUD_HIGHIO is in no list of the vendor but in
// the document's own example, so the real cloud must take it.
var (
	tcSystemDisks = []string{"CLOUD_SSD", "CLOUD_PREMIUM", "CLOUD_BASIC", "LOCAL_BASIC", "LOCAL_SSD"}
	tcDataDisks   = append(slices.Clone(tcSystemDisks), "CLOUD_HSSD", "CLOUD_THROUGHPUT", "CLOUD_TSSD", "CLOUD_HIGHIO")
)

// checkSpec returns the machine type the new nodes will have.
func (t *tencent) checkSpec(cl *tcCluster, g *tcGroup, p *scaleOutParams) (string, error) {
	s := p.ResourceSpec
	if s == nil || s.InstanceType == "" {
		if g.Spec == "" {
			return "", refuse(codeNoSpec, "no default spec for %s in %s", g.Flag, cl.ID)
		}
		if s == nil {
			return g.Spec, nil
		}
	}
	if _, ok := t.machines[s.InstanceType]; s.InstanceType != "" && !ok {
		return "", refuse("InvalidParameter.InvalidInstanceType", "InstanceType `%s` is not valid", s.InstanceType)
	}
	if len(s.SystemDisk) > 1 {
		return "", refuse(codeInvalid, "only one SystemDisk can be given")
	}
	if _, err := checkDisks("SystemDisk", s.SystemDisk, tcSystemDisks); err != nil {
		return "", err
	}
	n, err := checkDisks("DataDisk", s.DataDisk, tcDataDisks)
	if err != nil {
		return "", err
	}
	if n > 15 {
		return "", refuse(codeInvalid, "DataDisk asks for %d disks, at most 15 can be mounted", n)
	}
	if _, err := checkDisks("LocalDataDisk", s.LocalDataDisk, tcDataDisks); err != nil {
		return "", err
	}
	if err := checkTags(s.Tags); err != nil {
		return "", err
	}
	if s.InstanceType == "" {
		return g.Spec, nil
	}
	return s.InstanceType, nil
}

// checkDisks counts the disks of a list after checking each.
func checkDisks(field string, disks []tcDisk, types []string) (int64, error) {
	var n int64
	for _, d := range disks {
		if !slices.Contains(types, d.DiskType) {
			return 0, refuse(codeInvalid, "%s: DiskType `%s` is not valid", field, d.DiskType)
		}
		if d.DiskSize == nil || *d.DiskSize < 1 || d.Count == nil || *d.Count < 1 || *d.Count > 1000 || d.ExtraPerformance < 0 {
			return 0, refuse(codeInvalid, "%s: DiskSize and Count must be 1 or more", field)
		}
		n += *d.Count
	}
	return n, nil
}

// terminateNodes is TerminateClusterNodes: named nodes of one group, by the id
// of their machine. The document states no smallest number of core nodes.
func (t *tencent) terminateNodes(c *tencentCall) (map[string]any, error) {
	var p struct {
		InstanceId     string   `tc:"required"`
		CvmInstanceIds []string `tc:"required"`
		NodeFlag       string   `tc:"required"`
		GraceDownFlag  bool
		GraceDownTime  *int64
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	c.entry.Group = p.NodeFlag
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	g := cl.group(p.NodeFlag)
	if !scalable(cl, p.NodeFlag) || g == nil {
		return nil, refuse(codeNodeFlag, "NodeFlag `%s` is not valid for this cluster", p.NodeFlag)
	}
	drain := time.Duration(0)
	if p.GraceDownFlag {
		drain = 90 * time.Second
		if p.GraceDownTime != nil {
			if *p.GraceDownTime < 60 || *p.GraceDownTime > 1800 {
				return nil, refuse(codeInvalid, "GraceDownTime must be between 60 and 1800, got %d", *p.GraceDownTime)
			}
			drain = time.Duration(*p.GraceDownTime) * time.Second
		}
	}
	nodes, err := choose(cl, g, p.CvmInstanceIds, "ResourceNotFound.CvmInstanceNotFound", func(n *tcNode) string { return n.cvmID })
	if err != nil {
		return nil, err
	}
	f, err := t.shrink(c, cl, g, nodes, drain)
	if err != nil {
		return nil, err
	}
	return map[string]any{"FlowId": f.id}, nil
}

// terminateTasks is TerminateTasks: task nodes only, by EMR's own node id, and
// no flow id in the answer.
func (t *tencent) terminateTasks(c *tencentCall) (map[string]any, error) {
	var p struct {
		InstanceId  string   `tc:"required"`
		ResourceIds []string `tc:"required"`
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	c.entry.Group = "TASK"
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	g := cl.group("TASK")
	if g == nil {
		return nil, refuse(codeResourceIDs, "the cluster has no task nodes")
	}
	nodes, err := choose(cl, g, p.ResourceIds, codeResourceIDs, func(n *tcNode) string { return n.vmID })
	if err != nil {
		return nil, err
	}
	if _, err := t.shrink(c, cl, g, nodes, 0); err != nil {
		return nil, err
	}
	return map[string]any{}, nil
}

// choose finds the nodes of a group by their ids; notFound is the code for an id
// that is nowhere in the cluster.
func choose(cl *tcCluster, g *tcGroup, ids []string, notFound string, idOf func(*tcNode) string) ([]*tcNode, error) {
	if len(ids) == 0 {
		return nil, refuse(codeResourceIDs, "no node is named")
	}
	var out []*tcNode
	for _, id := range ids {
		same := func(n *tcNode) bool { return idOf(n) == id }
		i := slices.IndexFunc(g.nodes, same)
		switch {
		case i < 0 && slices.ContainsFunc(cl.groups, func(o *tcGroup) bool { return slices.ContainsFunc(o.nodes, same) }):
			return nil, refuse(codeResourceIDs, "%s is not a %s node", id, g.Flag)
		case i < 0:
			return nil, refuse(notFound, "%s 不存在 (no such node in %s)", id, cl.ID)
		case slices.Contains(out, g.nodes[i]):
			return nil, refuse(codeResourceIDs, "%s is named twice", id)
		}
		out = append(out, g.nodes[i])
	}
	return out, nil
}

func (t *tencent) shrink(c *tencentCall, cl *tcCluster, g *tcGroup, nodes []*tcNode, drain time.Duration) (*tcFlow, error) {
	if err := t.ready(cl, c.at); err != nil {
		return nil, err
	}
	if err := t.refusedByFault(c); err != nil {
		return nil, err
	}
	status := stShrinking
	switch g.Flag {
	case "TASK":
		status = stDestroyTask
	case "CORE":
		status = stDestroyCore
	case "ROUTER":
		status = stDestroyRtr
	}
	f := &tcFlow{
		name: "缩容集群", cluster: cl, group: g, stages: t.scaleInStages(drain),
		remove: nodes, destroyStatus: status,
	}
	t.launch(c, f)
	return f, nil
}
