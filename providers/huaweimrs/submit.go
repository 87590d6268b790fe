package huaweimrs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	hccore "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	mrs "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1/model"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// resize is the call that changes a cluster.
const resize = "UpdateClusterScaling"

// nodeIDMark is the constant that the document asks for; names of nodes made by
// a resize hold it.
const nodeIDMark = "node_orderadd"

// errNotSucceeded is an answer without the result that the document promises. It
// says neither that the change was taken nor that it was not.
var errNotSucceeded = errors.New("the answer does not say succeeded")

// Submit sends the change once.
func (p *provider) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	g, err := p.today(sub)
	if err != nil {
		return providers.Operation{}, err
	}
	body, err := scalingOf(sub, g.params)
	if err != nil {
		return providers.Operation{}, err
	}
	requestID, err := p.ask(ctx, resize, true, func(c *hccore.HcHttpClient) error {
		// As late as can be: rate, credentials and project may have taken their time.
		if err := adapter.InTime(resize, p.env.Now(), sub); err != nil {
			return err
		}
		answer, err := mrs.NewMrsClient(c).UpdateClusterScaling(&model.UpdateClusterScalingRequest{ClusterId: sub.Change.ClusterID, Body: body})
		switch {
		case err != nil:
			return err
		case answer == nil, answer.Result == nil:
			return errNotSucceeded
		case !strings.EqualFold(*answer.Result, "succeeded") && !strings.EqualFold(*answer.Result, "success"):
			return fmt.Errorf("%w but %q", errNotSucceeded, adapter.Cut(*answer.Result, 40))
		}
		return nil
	})
	if err != nil {
		return providers.Operation{}, err
	}
	return providers.Operation{RequestID: requestID, AcceptedAt: p.env.Now()}, nil
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
	case c.ClusterID == "":
		return group{}, refuse("The change names no cluster; nothing was sent.", "变更缺少集群 ID，未发出任何请求。")
	case !c.Adds() && roleOf(c.GroupID) == task && len(c.Nodes) != -c.Delta:
		return group{}, refuse("The change does not name the nodes to remove; nothing was sent.", "变更未指定要移除的节点，未发出任何请求。")
	}
	return g, nil
}

// scalingOf builds the request from nothing but the submission and the params.
// Fields that the document reserves are left out; what chat says goes over
// config, and what neither says is left to the cloud, whose defaults are to run
// the scripts and to start the components.
func scalingOf(sub providers.Submission, p *params) (*model.ClusterScalingReq, error) {
	c := sub.Change
	types := model.GetClusterScalingParamsScaleTypeEnum()
	r := &model.ClusterScalingParams{NodeId: nodeIDMark, NodeGroup: new(c.GroupID)}
	if !c.Adds() {
		r.ScaleType, r.Instances = types.SCALE_IN, int32(-c.Delta) //nolint:gosec // Check: 1 to 500
		if len(c.Nodes) > 0 {
			r.ServerIds = new(slices.Clone(c.Nodes))
		}
		return &model.ClusterScalingReq{Parameters: r}, nil
	}
	r.ScaleType, r.Instances = types.SCALE_OUT, int32(c.Delta) //nolint:gosec // Check: 1 to 500
	if skip := opposite(c.Bootstrap, p.skipBootstrap); skip != nil {
		r.SkipBootstrapScripts = new(strconv.FormatBool(*skip)) // a text in the SDK, a Boolean in the document
	}
	r.ScaleWithoutStart = opposite(c.Start, p.scaleWithoutStart)
	if roleOf(c.GroupID) != task {
		return &model.ClusterScalingReq{Parameters: r}, nil
	}
	// What the first nodes are goes with an empty group and with no other. The
	// baseline was taken right before, so it decides; a change that was made for
	// the other case is not sent.
	now, ok := sub.Baseline.Group(c.GroupID)
	first := ok && now.Count == 0
	if !ok || first != (c.InstanceType != "" && len(c.Disks) == 1) {
		return nil, refuse(
			"Since the plan was made the group stopped or began being empty, which changes what MRS must be told: ask again.",
			"计划生成后，该组由空变为非空或由非空变为空，需告知 MRS 的内容不同：请重新发起。")
	}
	if first {
		info, _ := firstNodes(c, nil)
		r.TaskNodeInfo = &model.TaskNodeInfo{
			NodeSize: info.size, DataVolumeType: volumeType(info.volumeType),
			DataVolumeCount: int32(info.volumeCount), DataVolumeSize: int32(info.volumeSizeG), //nolint:gosec // in the document's ranges: Check
		}
	}
	return &model.ClusterScalingReq{Parameters: r}, nil
}

// opposite is the field whose meaning is the reverse of chat's word: chat says
// "bootstrap", the field says "skip". Where chat is silent the config's own field
// stands, and nil is sent as nothing.
func opposite(said, configured *bool) *bool {
	if said != nil {
		return new(!*said)
	}
	return configured
}

// volumeType finds the SDK's value for a word that Check let pass.
func volumeType(name string) model.TaskNodeInfoDataVolumeType {
	types := model.GetTaskNodeInfoDataVolumeTypeEnum()
	for _, t := range []model.TaskNodeInfoDataVolumeType{types.SATA, types.SAS, types.SSD, types.GPSSD} {
		if t.Value() == name {
			return t
		}
	}
	return model.TaskNodeInfoDataVolumeType{}
}
