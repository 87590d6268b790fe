// Package cloudsim is a set of local control planes that speak the clouds' real
// wire protocols over real HTTP, for the demo and for tests. A cloud of the
// World answers the cloud's own SDK; today those are Tencent Cloud EMR and
// Alibaba Cloud ACK, the latter with the price services of ECS and ENS.
//
// It is written from the vendors' documents and from wire traces alone and
// imports neither an adapter nor an SDK, so that an adapter that works against
// it has been read twice, by two people. For the same reason it refuses what the
// real cloud refuses: wrong signatures, unknown or wrongly typed fields, charge
// modes that do not fit, busy clusters, too many calls a second. Where
// the documents are silent the choice made is the strict one and says so in a
// comment.
//
// Nothing here moves by itself: what a cluster looks like is worked out from the
// elapsed time whenever somebody looks, so a test that owns the clock owns the
// cloud. The only real waiting is done for the faults Slow and Hang.
//
// It refuses to hold a bot's view of the world, to be imported by the command
// run, and to listen anywhere but on the loopback interface.
package cloudsim
