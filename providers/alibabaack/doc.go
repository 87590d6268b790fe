// Package alibabaack is the adapter of Alibaba Cloud ACK and the only place of
// its SDK. It adds nodes in three forms: ScaleClusterNodePool for a node pool,
// and ScaleOutCluster with the body of the worker document (api:
// scale-out-cluster) or of the edge document (api: edge). It removes them by
// RemoveNodePoolNodes, prices them by DescribePrice of ECS and of ENS, and
// follows and steers the cloud's tasks. It refuses to repeat a call by itself, to
// sleep, to let an SDK type or error out, and to call ScaleCluster or the ENS
// product's namesake of ScaleOutCluster, whose count is a total.
//
// # What is a group
//
// A node pool is a group, by its id. ScaleOutCluster names no pool and no
// document says into which its nodes go. Where config gives such a group a
// node_pool, that pool is counted. Where it doesn't, the group is every worker
// of the cluster ("workers"), or for the edge form every worker that is no ECS
// machine ("ens-workers"): wherever the nodes go, they are in it. Such a group
// lies over the pools, so a snapshot then counts those nodes in both. From it the
// adapter chooses nodes of the default pool only; others go when they are named.
//
// # How nodes leave
//
// Pods are moved away first and pay-as-you-go machines are given back; params
// drain_node, release_node and concurrency say otherwise. Prepaid machines are
// never chosen: they would leave the cluster and go on costing. A person may name
// them, and the quote then says so.
//
// # What the key needs
//
// cs: DescribeClusterDetail, DescribeClustersV1, DescribeClusterNodePools,
// DescribeClusterNodes, DescribeTaskInfo; DescribeClusterTasks, without which a
// lost answer is harder to clear up; ScaleClusterNodePool or ScaleOutCluster,
// RemoveNodePoolNodes or DeleteClusterNodes; PauseTask, ResumeTask, CancelTask.
// ecs: DescribePrice; ens: DescribePrice for the edge form. Inside the cluster an
// RBAC role that may see nodes.
//
// # Where the sources disagree
//
// worker_data_disks[].size and encrypted are texts, as the SDK types them; the
// Chinese document's example has a number. ClusterId is in the path and not in
// the body, as the SDK does it; that example has both. ens_internet_charge_type
// is written in lower case, as in the edge document's syntax and example; its
// table has a capital. login_password alone is taken by the edge form, as its
// table has it; its text speaks of key_pair. worker_auto_renew is always sent for
// prepaid nodes: the SDK's text gives it a default of true, the documents none.
// disable_rollback is passed on as configured: the English document says that
// true keeps what a failure left, the Chinese one seems to say the opposite.
//
// # What can be proved about a change whose answer is lost
//
// The calls have no idempotency token: sent twice, they act twice. So nothing is
// ever repeated, and Reconcile only looks.
//
// Not sent. A context that ended before the call, a connection that did not come
// about, a certificate that is not trusted, credentials that were not found, an
// intent that is half a minute old when rate and credentials are there: Submit
// answers Retry or Auth. A change always opens a connection of its own, so
// a stale one can't fail it. Not accepted: an answer of 4xx in JSON, or
// throttling, says so at once. Everything else is Unknown: 5xx, an answer that
// can't be read, HTTP 200 without a task id, and a context that ended during the
// call, which the SDK, knowing no context, goes on with for up to half a minute.
//
// Accepted, with its task. Observe notes the cluster's tasks in the baseline, where
// they can be listed in a few calls. One
// that was made since, adds or removes as the change does, and says of its
// target, number and nodes nothing that contradicts the change, is the change,
// if it is the only one. For a node pool, and while an autoscaler is on, it must
// also say something that bears it out: the pool, the nodes, or in a task of pools
// the number. Otherwise another pool's task, the autoscaler's or one of the console
// would be taken for ours. Both times are the cloud's own, so no clock matters.
//
// Accepted, without its task. Exactly the new nodes that were asked for, in a
// cluster that is idle again; or the pool's desired size at exactly the baseline's
// plus the amount; or every node to remove gone or going. The first two prove
// nothing while an autoscaler is on, or when another's task that adds nodes was
// made since.
//
// Not accepted is never proved by Reconcile: a request may still be under way,
// and absence is no proof. A cluster at work, two tasks that both fit, some of the
// nodes, or nothing at all is Unsure; in the end a person decides.
//
// What remains: somebody who scales the same pool by the same number between the
// baseline and the look, while our own request got lost, is taken for us. Nothing
// is then done twice; the nodes were not made by this change.
package alibabaack
