// Package tencentemr is the adapter of Tencent Cloud EMR and the only place of
// its SDK. It speaks ScaleOutCluster, TerminateClusterNodes or TerminateTasks to
// change a cluster, InquiryPriceScaleOutInstance to price it, and
// DescribeInstances, DescribeClusterNodes and DescribeClusterFlowStatusDetail to
// look. It refuses to repeat a call by itself, to sleep, to let an SDK type or
// error out, and to import the request that destroys a cluster.
//
// # What can be proved about a change whose answer is lost
//
// Not sent. The HTTP transport reports the connection it gives to a request
// before the first byte is written. A call that failed without that report left
// nothing on the wire: Submit answers Retry. Any other broken answer of a write
// is Unknown.
//
// Accepted, with its flow. ScaleOutCluster takes a ClientToken, "unique random
// identifier with the time efficiency of 5 minutes, … to prevent the client from
// creating resources again". Until two minutes after SentAt Reconcile repeats
// the very same request with the same token; a flow id in the answer is the
// first acceptance. The repeat is bounded so that it can't arrive later than
// half a minute after that. The first send can't be older than SentAt, so the
// token still lives then.
//
// Never accepted later either. A request is signed (TC3) with its own timestamp
// and the service refuses one that is more than five minutes off
// (AuthFailure.SignatureExpire), and Submit refuses to sign one more than half a
// minute after SentAt. What still hangs in a network after that can do nothing,
// so the token's window and the window of a late arrival close together.
//
// Not accepted. Inside the window a definite refusal of the repeat, on a cluster
// that is idle and shows nothing of the change, speaks about the first send too:
// a token that was accepted before is answered with its acceptance, or with an
// error about the token, and its parameters are not judged anew. How far it
// speaks depends on the code (see rules in codes.go):
//
//   - A refusal of the request itself (a parameter, an unknown machine type, no
//     such cluster) would meet a late arrival of the first as well: NotAccepted.
//   - A refusal by circumstances (sold out, quota) says that the first was not
//     accepted so far. A late arrival could still find stock, so it counts only
//     90 seconds after SentAt, when Submit's own exchange (at most 60 seconds,
//     begun at most 30 after SentAt) is over. What remains is a process frozen
//     for a minute between signing and writing.
//   - An error about the token itself, or about a parameter that the code does
//     not name, may be how the service answers a token that was taken before:
//     it refuses a first send and proves nothing on a repeat.
//   - Throttling, missing rights and faults inside the cloud come before or
//     beside the token's check, InstanceInProcess and DuplicateOrderNotAllowed
//     may well be the first send at work: they prove nothing.
//
// After the window, and for removals, which have no token, only the cluster can
// tell. The new nodes that were asked for, in a cluster that is idle again, or the
// absence of exactly the nodes to remove, prove acceptance, without a flow id. New
// nodes that autoscaling made, or that are prepaid where the change is not or the
// reverse, are never counted as the change's. A
// busy cluster may be our
// operation or another's: Unsure until it ends. An idle and unchanged cluster
// proves nothing: Unsure, in the end a person decides. Absence alone is never
// NotAccepted.
package tencentemr
