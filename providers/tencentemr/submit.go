package tencentemr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// errNoFlow is an accepting answer that names no flow: reading it as "nothing
// happened" would order twice, reading it as accepted could not be followed.
var errNoFlow = errors.New("the answer names no flow")

// scaleOutRequest is the SDK's request plus NodeMarks, a field of the document
// that the SDK's type lacks. It travels through the client's own Send, so
// signing and headers are the SDK's.
type scaleOutRequest struct {
	*emr.ScaleOutClusterRequest
	NodeMarks *nodeMark `json:"NodeMarks,omitempty" name:"NodeMarks"`
}

var _ tchttp.Request = (*scaleOutRequest)(nil)

// Submit sends the change once.
func (p *provider) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	g, err := p.today(sub)
	if err != nil {
		return providers.Operation{}, err
	}
	switch {
	case sub.Change.Adds():
		return p.scaleOut(ctx, sub, g, p.inTime)
	case g.params.usesTerminateTasks():
		return p.terminateTasks(ctx, sub)
	default:
		return p.terminateNodes(ctx, sub, g)
	}
}

// inTime is the gate of a first send: see adapter.InTime.
func (p *provider) inTime(action string, sub providers.Submission) error {
	return adapter.InTime(action, p.env.Now(), sub)
}

// today checks that the submission can be sent as it was voted on.
func (p *provider) today(sub providers.Submission) (group, error) {
	c := sub.Change
	if err := p.Check(c); err != nil {
		return group{}, err
	}
	g, err := p.group(c)
	if err != nil {
		return group{}, err
	}
	switch {
	case c.Profile != g.profile:
		return group{}, refuse(
			fmt.Sprintf("The params of group %s of cluster %s were changed after this plan was made: ask again.", c.Group, c.Cluster),
			fmt.Sprintf("此计划生成后，集群 %s 节点组 %s 的 params 已被修改：请重新发起。", c.Cluster, c.Group))
	case c.ClusterID == "" || c.Adds() && sub.Token == "":
		return group{}, refuse("The change names no cluster or has no token; nothing was sent.", "变更缺少集群 ID 或幂等 Token，未发出任何请求。")
	case !c.Adds() && len(c.Nodes) != -c.Delta:
		return group{}, refuse("The change does not name the nodes to remove; nothing was sent.", "变更未指定要移除的节点，未发出任何请求。")
	}
	return g, nil
}

// scaleOut sends the request if gate, asked right before, lets it.
func (p *provider) scaleOut(ctx context.Context, sub providers.Submission, g group, gate func(string, providers.Submission) error) (providers.Operation, error) {
	var op providers.Operation
	err := p.send(ctx, "ScaleOutCluster", true, func(ctx context.Context, c *emr.Client) error {
		if err := gate("ScaleOutCluster", sub); err != nil {
			return err
		}
		r := scaleOutOf(sub, g.params)
		r.SetContext(ctx)
		resp := emr.NewScaleOutClusterResponse()
		if err := c.Send(r, resp); err != nil {
			return err
		}
		if resp.Response == nil {
			return errNoAnswer
		}
		a := resp.Response
		op.ID, op.Trace, op.RequestID = flowID(a.FlowId), value(a.TraceId), value(a.RequestId)
		for _, d := range a.DealNames {
			if d != nil && *d != "" {
				op.Orders = append(op.Orders, *d)
			}
		}
		if op.ID == "" {
			return errNoFlow
		}
		return nil
	})
	return p.accepted(op, err)
}

// accepted stamps the operation, or passes the error on without it.
func (p *provider) accepted(op providers.Operation, err error) (providers.Operation, error) {
	if err != nil {
		return providers.Operation{}, err
	}
	op.AcceptedAt = p.env.Now()
	return op, nil
}

// flowID reads a flow id; nil and 0 are none (reference section 10, trap 7).
func flowID(n *int64) string {
	if n == nil || *n <= 0 {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

var chargeTypes = map[providers.Charge]string{
	providers.Postpaid: "POSTPAID_BY_HOUR",
	providers.Prepaid:  "PREPAID",
	providers.Spot:     "SPOTPAID",
}

// scaleOutOf builds the request from nothing but the submission and the params,
// so that a repeat is the very same text. What chat says goes over config:
//   - no-bootstrap drops the configured scripts, bootstrap and silence keep them;
//   - start and no-start set EnableStartServiceFlag; with neither the config
//     decides, and without one it is true, because the service's own default
//     lets nodes join that do no work;
//   - spec= replaces the machine type and keeps the configured disks, disk=
//     replaces the data disks, tags are added over those configured.
func scaleOutOf(sub providers.Submission, p *params) *scaleOutRequest {
	c := sub.Change
	r := emr.NewScaleOutClusterRequest()
	r.InstanceChargeType = new(chargeTypes[c.Charge])
	r.InstanceId = new(c.ClusterID)
	r.ScaleOutNodeConfig = &emr.ScaleOutNodeConfig{
		NodeFlag:  new(c.GroupID),
		NodeCount: new(uint64(c.Delta)), //nolint:gosec // Check refuses what is below 1
	}
	r.ClientToken = new(sub.Token)
	if c.Charge == providers.Prepaid {
		r.InstanceChargePrepaid = &emr.InstanceChargePrepaid{Period: new(int64(c.Months)), RenewFlag: new(c.Renew)}
	}
	if c.Bootstrap == nil || *c.Bootstrap {
		r.ScriptBootstrapActionConfig = p.ScriptBootstrapActionConfig
	}
	r.SoftDeployInfo = p.SoftDeployInfo
	r.ServiceNodeInfo = p.ServiceNodeInfo
	r.DisasterRecoverGroupIds = p.DisasterRecoverGroupIds
	r.Tags = tagsOf(p.Tags, c.Tags)
	r.HardwareSourceType = p.HardwareSourceType
	r.PodSpecInfo = p.PodSpecInfo
	r.ClickHouseClusterName = p.ClickHouseClusterName
	r.ClickHouseClusterType = p.ClickHouseClusterType
	r.YarnNodeLabel = p.YarnNodeLabel
	r.EnableStartServiceFlag = firstOf(c.Start, p.EnableStartServiceFlag, new(true))
	r.ResourceSpec = specOf(c, p.ResourceSpec)
	r.Zone = p.Zone
	if c.Zone != "" {
		r.Zone = new(c.Zone)
	}
	r.SubnetId = p.SubnetId
	r.ScaleOutServiceConfGroupsInfo = p.ScaleOutServiceConfGroupsInfo
	return &scaleOutRequest{ScaleOutClusterRequest: r, NodeMarks: p.NodeMarks}
}

func firstOf[T any](ps ...*T) *T {
	for _, p := range ps {
		if p != nil {
			return p
		}
	}
	return nil
}

// tagsOf keeps the configured order, lets chat replace values, and adds chat's
// other tags by name.
func tagsOf(configured []*emr.Tag, said map[string]string) []*emr.Tag {
	if len(said) == 0 {
		return configured
	}
	rest := maps.Clone(said)
	var out []*emr.Tag
	for _, t := range configured {
		if v, ok := rest[value(t.TagKey)]; ok {
			t = &emr.Tag{TagKey: t.TagKey, TagValue: new(v)}
			delete(rest, *t.TagKey)
		}
		out = append(out, t)
	}
	for _, k := range slices.Sorted(maps.Keys(rest)) {
		out = append(out, &emr.Tag{TagKey: new(k), TagValue: new(rest[k])})
	}
	return out
}

func specOf(c providers.Change, configured *emr.NodeResourceSpec) *emr.NodeResourceSpec {
	if c.InstanceType == "" && len(c.Disks) == 0 {
		return configured
	}
	spec := new(emr.NodeResourceSpec)
	if configured != nil {
		*spec = *configured
	}
	if c.InstanceType != "" {
		spec.InstanceType = new(c.InstanceType)
	}
	if len(c.Disks) > 0 {
		spec.DataDisk = make([]*emr.DiskSpecInfo, 0, len(c.Disks))
		for _, d := range c.Disks {
			spec.DataDisk = append(spec.DataDisk, &emr.DiskSpecInfo{
				Count: new(int64(d.Count)), DiskType: new(d.Type), DiskSize: new(int64(d.SizeG)),
			})
		}
	}
	return spec
}

func (p *provider) terminateNodes(ctx context.Context, sub providers.Submission, g group) (providers.Operation, error) {
	var op providers.Operation
	err := p.send(ctx, "TerminateClusterNodes", true, func(ctx context.Context, c *emr.Client) error {
		if err := p.inTime("TerminateClusterNodes", sub); err != nil {
			return err
		}
		r := emr.NewTerminateClusterNodesRequest()
		r.InstanceId = new(sub.Change.ClusterID)
		r.CvmInstanceIds = ptrs(sub.Change.Nodes)
		r.NodeFlag = new(sub.Change.GroupID)
		r.GraceDownFlag = g.params.GraceDownFlag
		r.GraceDownTime = g.params.GraceDownTime
		if d := sub.Change.Drain; d > 0 {
			r.GraceDownFlag, r.GraceDownTime = new(true), new(int64(d/time.Second))
		}
		resp, err := c.TerminateClusterNodesWithContext(ctx, r)
		switch {
		case err != nil:
			return err
		case resp == nil || resp.Response == nil:
			return errNoAnswer
		}
		op.ID, op.RequestID = flowID(resp.Response.FlowId), value(resp.Response.RequestId)
		if op.ID == "" {
			return errNoFlow
		}
		return nil
	})
	return p.accepted(op, err)
}

// terminateTasks needs the emr-vm-… ids that Observe noted for the nodes.
func (p *provider) terminateTasks(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	ids := make([]string, 0, len(sub.Change.Nodes))
	var unknown []string
	for _, n := range sub.Change.Nodes {
		if r := sub.Baseline.Facts[factResource+n]; r != "" {
			ids = append(ids, r)
		} else {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		list := strings.Join(unknown, ", ")
		return providers.Operation{}, &providers.Error{Kind: providers.NotFound, Op: "TerminateTasks", Advice: providers.Text{
			EN: fmt.Sprintf("The cloud shows no resource id for %s any more; nothing was sent. Ask again.", list),
			ZH: fmt.Sprintf("云平台不再显示 %s 的资源 ID，未发出任何请求，请重新发起。", list),
		}}
	}
	var op providers.Operation
	err := p.send(ctx, "TerminateTasks", true, func(ctx context.Context, c *emr.Client) error {
		if err := p.inTime("TerminateTasks", sub); err != nil {
			return err
		}
		r := emr.NewTerminateTasksRequest()
		r.InstanceId = new(sub.Change.ClusterID)
		r.ResourceIds = ptrs(ids)
		resp, err := c.TerminateTasksWithContext(ctx, r)
		switch {
		case err != nil:
			return err
		case resp == nil || resp.Response == nil:
			return errNoAnswer
		}
		op.RequestID = value(resp.Response.RequestId)
		return nil
	})
	return p.accepted(op, err)
}

func ptrs(list []string) []*string {
	out := make([]*string, 0, len(list))
	for _, s := range list {
		out = append(out, new(s))
	}
	return out
}
