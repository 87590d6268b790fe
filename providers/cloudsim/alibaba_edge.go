package cloudsim

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// acEdgeTerms are the terms of ENS machines, in months (ScaleOutCluster for
// managed edge clusters, worker_period).
var acEdgeTerms = []int64{1, 2, 3, 6, 12, 24, 36, 48, 60}

// acEdgeParams is ScaleOutCluster for managed edge clusters, field by field. The
// bandwidth's field is spelt ens_Internet_charge_type in the table and in lower
// case in syntax and sample, which are what a request looks like. key_pair, of
// which the text of login_password speaks, is in no table and not taken.
type acEdgeParams struct {
	Count           int64  `json:"count" ack:"required"`
	InstanceType    string `json:"worker_instance_type" ack:"required"`
	Region          string `json:"ens_region_id" ack:"required"`
	ImageID         string `json:"worker_image_id" ack:"required"`
	Bandwidth       string `json:"ens_internet_charge_type" ack:"required"`
	Period          int64  `json:"worker_period" ack:"required"`
	LoginPassword   string `json:"login_password" ack:"required"`
	SystemDiskSize  int64  `json:"worker_system_disk_size" ack:"required"`
	IsEdgeWorker    bool   `json:"is_edge_worker" ack:"required"`
	DataDiskSize    int64  `json:"worker_data_disk_size"`
	AutoRenew       bool   `json:"worker_auto_renew"`
	AutoRenewPeriod *int64 `json:"worker_auto_renew_period"`
	TimeoutMins     *int64 `json:"timeout_mins"`
}

// acImageSize finds the size that system images carry in their names.
var acImageSize = regexp.MustCompile(`_(\d+)G_`)

// edgeOrder reads and checks the body for a managed edge cluster.
func (a *alibaba) edgeOrder(c *acCall, cl *acCluster) (*acTask, error) {
	var p acEdgeParams
	if err := acDecode(c.body, &p); err != nil {
		return nil, err
	}
	renewals := make([]int64, 12)
	for i := range renewals {
		renewals[i] = int64(i + 1)
	}
	for _, check := range []error{
		a.mayGrow(cl, p.Count), a.checkEdge(&p), acOneOf("ens_internet_charge_type", p.Bandwidth, "BandwidthByDay", "95BandwidthByMonth"),
		acTerm("worker_period", &p.Period, acEdgeTerms), acPassword(p.LoginPassword), p.checkDisks(),
		acRenewal(p.AutoRenew, p.AutoRenewPeriod, renewals),
	} {
		if check != nil {
			return nil, check
		}
	}
	pool := cl.defaultPool()
	t := a.grow(cl, pool, int(p.Count), p.InstanceType, c.at)
	t.kind, t.wide = kindScaleOut, true
	t.params = map[string]any{"count": p.Count, "ens_region_id": p.Region, "worker_instance_type": p.InstanceType}
	for _, n := range t.add {
		n.charge, n.expires = "PrePaid", c.at.AddDate(0, int(p.Period), 0)
	}
	if p.TimeoutMins != nil {
		t.deadline = a.sim.scaled(time.Duration(*p.TimeoutMins) * time.Minute)
	}
	return t, nil
}

func (a *alibaba) checkEdge(p *acEdgeParams) error {
	switch _, known := a.machines[p.InstanceType]; {
	case !p.IsEdgeWorker:
		return acRefuse(acInvalid, "is_edge_worker must be true for a managed edge cluster")
	case !known || !strings.HasPrefix(p.InstanceType, "ens."):
		return acRefuse(acBadMachine, "The specified InstanceType %s is not supported.", p.InstanceType)
	case !a.edgeRegion(p.Region):
		return acRefuse(acInvalid, "ens_region_id %q is not an ENS region", p.Region)
	case p.ImageID == "":
		return acRefuse(acInvalid, "worker_image_id is empty")
	case p.TimeoutMins != nil && *p.TimeoutMins < 1:
		return acRefuse(acInvalid, "timeout_mins must be 1 or more, got %d", *p.TimeoutMins)
	}
	return nil
}

func (a *alibaba) edgeRegion(id string) bool {
	if a.world.EdgeRegions == nil {
		return id != "" && !slices.Contains(acRegions, id)
	}
	return slices.Contains(a.world.EdgeRegions, id)
}

// checkDisks checks the sizes, in GiB. An image of unknown size passes: images
// are not part of this world.
func (p *acEdgeParams) checkDisks() error {
	if err := acIn("worker_system_disk_size", p.SystemDiskSize, 20, 100, 10); err != nil {
		return err
	}
	if m := acImageSize.FindStringSubmatch(p.ImageID); m != nil {
		if size, err := strconv.ParseInt(m[1], 10, 64); err == nil && p.SystemDiskSize <= size {
			return acRefuse(acInvalid, "worker_system_disk_size %d is not larger than the image's %d", p.SystemDiskSize, size)
		}
	}
	if p.DataDiskSize == 0 {
		return nil
	}
	return acIn("worker_data_disk_size", p.DataDiskSize, 20, 200, 10)
}
