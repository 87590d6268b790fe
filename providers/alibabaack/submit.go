package alibabaack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/openapi-util/service"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// Submit sends the change once.
func (p *provider) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	g, err := p.today(sub)
	if err != nil {
		return providers.Operation{}, err
	}
	op, err := p.change(ctx, requestOfChange(sub, g), sub)
	if err != nil {
		return providers.Operation{}, err
	}
	op.AcceptedAt = p.env.Now()
	return op, nil
}

// today checks that the submission can be sent as it was voted on: resolving
// what is resolved changes nothing, unless config or the pool changed since.
func (p *provider) today(sub providers.Submission) (group, error) {
	c := sub.Change
	g, err := p.group(c)
	if err != nil {
		return group{}, err
	}
	again, err := p.Resolve(c, sub.Baseline)
	if err != nil {
		return group{}, err
	}
	switch {
	case c.Profile != again.Profile:
		return group{}, refuse(
			fmt.Sprintf("The params of group %s of cluster %s were changed after this plan was made: ask again.", c.Group, c.Cluster),
			fmt.Sprintf("此计划生成后，集群 %s 节点组 %s 的 params 已被修改：请重新发起。", c.Cluster, c.Group))
	case c.Charge != again.Charge || c.Months != again.Months || c.Renew != again.Renew:
		return group{}, refuse(
			fmt.Sprintf("How group %s of cluster %s pays for new nodes was changed after this plan was made: ask again.", c.Group, c.Cluster),
			fmt.Sprintf("此计划生成后，集群 %s 节点组 %s 的计费方式已被修改：请重新发起。", c.Cluster, c.Group))
	case c.ClusterID == "":
		return group{}, refuse("The change names no cluster; nothing was sent.", "变更缺少集群 ID，未发出任何请求。")
	case !c.Adds() && len(c.Nodes) != -c.Delta:
		return group{}, refuse("The change does not name the nodes to remove; nothing was sent.", "变更未指定要移除的节点，未发出任何请求。")
	}
	return g, nil
}

// request is one change on the wire. All go by the SDK's generic call: its types
// lack the edge fields, worker_data_disk and disable_rollback, and the answer's
// type of ScaleClusterNodePool lacks the request id (reference 4.1, 4.3).
type request struct {
	action, method, path string
	query                map[string]*string
	body                 any // nil = none
}

// change is the one way in which a change of size leaves this process, whatever
// its form, so the intent's age is asked here and nowhere else.
func (p *provider) change(ctx context.Context, r request, sub providers.Submission) (providers.Operation, error) {
	x := exchange{r.action, write, rate}
	return send(ctx, p, x, func(w *wire) (providers.Operation, error) {
		params := &openapi.Params{
			Action: new(r.action), Version: new(csVersion), Protocol: new("HTTPS"), Pathname: new(r.path),
			Method: new(r.method), AuthType: new("AK"), Style: new("ROA"), ReqBodyType: new("json"), BodyType: new("json"),
		}
		if err := adapter.InTime(r.action, p.env.Now(), sub); err != nil {
			return providers.Operation{}, err
		}
		result, err := w.client.CallApi(params, &openapi.OpenApiRequest{Headers: w.headers, Query: r.query, Body: r.body}, w.options)
		if err != nil {
			return providers.Operation{}, err
		}
		body, _ := result["body"].(map[string]any)
		op := providers.Operation{RequestID: requestID(body)}
		if headers, _ := result["headers"].(map[string]any); op.RequestID == "" {
			// All that ScaleClusterNodePool says in the body is the task.
			id, _ := headers["x-acs-request-id"].(string)
			op.RequestID = adapter.Cut(id, 100)
		}
		switch id := body["task_id"].(type) {
		case string:
			op.ID = strings.TrimSpace(id)
		case json.Number:
			op.ID = id.String()
		}
		if op.ID == "" {
			return providers.Operation{}, errNoTask
		}
		return op, nil
	})
}

// requestOfChange builds the request from nothing but the submission and the
// params. There is no token on any of these calls (reference section 8).
func requestOfChange(sub providers.Submission, g group) request {
	c := sub.Change
	cluster := *openapiutil.GetEncodeParam(new(c.ClusterID))
	if !c.Adds() {
		return removalOf(sub, g, cluster)
	}
	switch g.form {
	case workerForm:
		return request{action: "ScaleOutCluster", method: "POST", path: "/api/v2/clusters/" + cluster, body: workerBody(c, g.params)}
	case edgeForm:
		return request{action: "ScaleOutCluster", method: "POST", path: "/api/v2/clusters/" + cluster, body: edgeBody(c, g.params)}
	case poolForm:
	}
	return request{
		action: "ScaleClusterNodePool", method: "POST",
		path: "/clusters/" + cluster + "/nodepools/" + *openapiutil.GetEncodeParam(new(c.GroupID)),
		body: map[string]any{"count": c.Delta}, // nodes to add, not the new size
	}
}

// bodyOf copies the params for the wire, without the three that are about
// removal.
func bodyOf(p params) map[string]any {
	body := maps.Clone(map[string]any(p))
	if body == nil {
		body = map[string]any{}
	}
	for _, f := range removal {
		delete(body, f.name)
	}
	return body
}

// workerBody is the body of the worker document. What chat says goes over
// config: spec= replaces the machine types, disk= the data disks, tags are added
// over those configured, prepaid brings its term. The path carries the cluster's
// id; the Chinese document's example repeats it in the body and the SDK does not.
//
// Renewal is always said of prepaid nodes: the SDK's text gives it a default of
// true, which would go on buying after the term that people agreed to.
func workerBody(c providers.Change, p params) map[string]any {
	body := bodyOf(p)
	body["count"] = c.Delta
	for _, k := range []string{"worker_period", "worker_period_unit", "worker_auto_renew", "worker_auto_renew_period"} {
		delete(body, k)
	}
	if c.Charge == providers.Prepaid {
		body["worker_instance_charge_type"] = prePaid
		body["worker_period"], body["worker_period_unit"] = c.Months, periodUnit
		body["worker_auto_renew"] = c.Renew
		if c.Renew {
			body["worker_auto_renew_period"] = renewalOf(c, p, renewals)
		}
	}
	if c.InstanceType != "" {
		body["worker_instance_types"] = []string{c.InstanceType}
	}
	if len(c.Disks) > 0 {
		body["worker_data_disk"] = true
		body["worker_data_disks"] = diskList(c.Disks)
	}
	if len(c.Tags) > 0 {
		body["tags"] = tagList(p.objects("tags"), c.Tags)
	}
	return body
}

// edgeBody is the body of the edge document, with the lower-case spelling of
// ens_internet_charge_type of its syntax and example.
func edgeBody(c providers.Change, p params) map[string]any {
	body := bodyOf(p)
	body["count"] = c.Delta
	body["is_edge_worker"] = true // "the value must be set to true"
	body["worker_period"] = c.Months
	body["worker_auto_renew"] = c.Renew
	delete(body, "worker_auto_renew_period")
	if c.Renew {
		body["worker_auto_renew_period"] = renewalOf(c, p, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	}
	if c.InstanceType != "" {
		body["worker_instance_type"] = c.InstanceType
	}
	return body
}

// renewalOf is the configured renewal period, else the term as far as renewals
// go: a term of two years is renewed year by year.
func renewalOf(c providers.Change, p params, allowed []int) int {
	if n := p.number("worker_auto_renew_period"); n > 0 {
		return n
	}
	best := allowed[0]
	for _, n := range allowed {
		if n <= c.Months {
			best = n
		}
	}
	return best
}

// diskList writes disks as the SDK types them: the size is a text, although the
// Chinese document's example has a number.
func diskList(disks []providers.Disk) []map[string]any {
	var out []map[string]any
	for _, d := range disks {
		for range d.Count {
			out = append(out, map[string]any{"category": d.Type, "size": strconv.Itoa(d.SizeG)})
		}
	}
	return out
}

// tagList keeps the configured order, lets chat replace values, and adds chat's
// other tags by name.
func tagList(configured []params, said map[string]string) []map[string]any {
	rest := maps.Clone(said)
	var out []map[string]any
	for _, t := range configured {
		key := t.text("key")
		one := map[string]any{"key": key, "value": t.text("value")}
		if v, ok := rest[key]; ok {
			one["value"] = v
			delete(rest, key)
		}
		out = append(out, one)
	}
	for _, k := range slices.Sorted(maps.Keys(rest)) {
		out = append(out, map[string]any{"key": k, "value": rest[k]})
	}
	return out
}

// removalOf removes exactly the change's nodes: from their pool by machine id,
// which lowers the pool's desired size with them, or, in a cluster without
// pools, by node name. Pods are moved away first and pay-as-you-go machines are
// given back, unless config says otherwise: the API's own defaults would cut pods
// off and go on costing. drain= turns the first on; the API has no time for it.
func removalOf(sub providers.Submission, g group, cluster string) request {
	c := sub.Change
	drain := g.params.flag("drain_node", true) || c.Drain > 0
	var names []string
	release := false
	was, _ := sub.Baseline.Group(c.GroupID)
	for _, n := range was.Nodes {
		if slices.Contains(c.Nodes, n.ID) {
			names = append(names, n.Name)
			// Prepaid machines can't be given back; asking for it may be refused.
			release = release || n.Charge != providers.Prepaid
		}
	}
	release = release && g.params.flag("release_node", true)
	pool := c.GroupID
	if !poolShape.MatchString(pool) {
		pool = poolOf(sub.Baseline, c.Nodes[0])
	}
	if pool == "" {
		return request{
			action: "DeleteClusterNodes", method: "POST", path: "/clusters/" + cluster + "/nodes",
			body: map[string]any{"drain_node": drain, "release_node": release, "nodes": names},
		}
	}
	ids, _ := json.Marshal(c.Nodes) // texts: can't fail
	return request{
		action: "RemoveNodePoolNodes", method: "DELETE",
		path: "/clusters/" + cluster + "/nodepools/" + *openapiutil.GetEncodeParam(new(pool)) + "/nodes",
		query: map[string]*string{
			"instance_ids": new(string(ids)),
			"drain_node":   new(strconv.FormatBool(drain)),
			"release_node": new(strconv.FormatBool(release)),
			"concurrency":  new(strconv.FormatBool(g.params.flag("concurrency", false))),
		},
	}
}
