// Package huaweimrs is the adapter of Huawei Cloud MRS and the only place of its
// SDK. It speaks UpdateClusterScaling (PUT /v1.1/{project_id}/cluster_infos/
// {cluster_id}, "调整集群节点") to change a cluster, ShowClusterDetails,
// ListHosts and ListClusters to look, ListOnDemandResourceRatings of the price
// service, and two reads of IAM where config names no project or domain. It
// refuses to repeat a call by itself, to sleep, to let an SDK type or error out,
// and to change what that call can't say: prepaid and spot nodes, master nodes,
// groups of custom clusters, which core nodes go.
//
// # Where document and SDK differ
//
// The wire is the SDK's. instances is a number (the document's examples send a
// text, its table allows both); skip_bootstrap_scripts is the text "true" or
// "false" (a Boolean in the document, and in config); the reserved service_id,
// plan_id, order_id and previous_values are left out, which the document allows.
// All four fields of task_node_info are always sent, since the SDK can't leave
// one out. The disk type GPSSD is the SDK's alone and is taken; data disks stay
// at the document's 1 to 10, though the SDK's text says 0 to 20.
//
// Task nodes to remove are always named (server_ids), so that the plan that
// people vote on shows them. Core nodes can't be: the system picks, and
// Change.Nodes stays empty.
//
// # What can be proved about a change whose answer is lost
//
// This cloud has no token and gives an operation no id, so nothing is ever sent
// a second time to find out: a repeat while the first runs is refused
// (12000018), a repeat after its end doubles it.
//
// Not sent. The HTTP transport reports the connection it gives to a request
// before the first byte is written. A call that failed without that report left
// nothing on the wire: Submit answers Retry. An error answer of 400 and above
// with a code of the tables says that it was refused, as codes.go reads it. Any
// other answer of a write is Unknown: a lost or cut one, a page without a code, a
// 200 without "succeeded" in it, and the codes that report a failure inside the
// cloud (12000013, 12000014, MRS.201 and the like), which may come after a part
// was done.
//
// Accepted. Exactly the named task nodes are gone. Or, in a cluster that is idle
// again and makes no host any more, exactly as many hosts as asked for appeared in
// the change's group since the baseline, whether they run or failed, or, of core
// nodes, went. A cluster that is merely scaling
// proves nothing here, though it makes acceptance likely: somebody else's resize
// looks the same, and MRS would have refused ours because of it. Unsure until
// its nodes tell.
//
// Never the opposite. An idle and unchanged cluster, even one whose record was
// not touched, may be one that the request has not reached: a signature stays
// good for minutes, and there is no token whose end closes that window. So
// Reconcile answers Accepted or Unsure and never NotAccepted; in the end a person
// decides, with what was seen.
//
// # How an operation is followed
//
// By the cluster's state and its hosts against the baseline. "Running" within
// three minutes of acceptance is the time before the beginning, unless all nodes
// are there. Succeeded needs an idle cluster, the hosts and the group's count.
// Fewer than asked for are Partial; a failure that the cloud did not report when
// the change was sent (scale is scaling-error, errorInfo, a failed stage) is
// Failed if no node moved, else Partial. Idle, unchanged and silent after that
// time is NotFound: a person looks.
//
// # Prices
//
// No documented call prices MRS itself, so a quote is known only by the config's
// prices. Otherwise the ECS and disks behind the flavour are asked for, and the
// quote is unknown with "at least" that figure as its reason. Because that can
// never become an exact price, a price service that is away, throttled or
// refuses is a reason too and not an error.
package huaweimrs
