package cloudsim

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// acTerms are the prepaid terms and renewal periods of the page of
// ScaleOutCluster, in months. The SDK's text knows longer ones too.
var acTerms = []int64{1, 2, 3, 6, 12}

// acWorkerParams is ScaleOutCluster for ordinary clusters, field by field. The
// document's table makes none required; the SDK's text does so for four of them
// that nothing can be ordered without.
type acWorkerParams struct {
	ClusterID          string   `json:"ClusterId"` // the document's own sample repeats it in the body
	Count              int64    `json:"count" ack:"required"`
	ChargeType         string   `json:"worker_instance_charge_type"`
	Period             *int64   `json:"worker_period"`
	PeriodUnit         string   `json:"worker_period_unit"`
	AutoRenew          bool     `json:"worker_auto_renew"`
	AutoRenewPeriod    *int64   `json:"worker_auto_renew_period"`
	InstanceTypes      []string `json:"worker_instance_types" ack:"required"`
	VSwitches          []string `json:"vswitch_ids" ack:"required"`
	SystemDiskCategory string   `json:"worker_system_disk_category"`
	SystemDiskSize     *int64   `json:"worker_system_disk_size"`
	DataDisk           *bool    `json:"worker_data_disk"`
	DataDisks          []acDisk `json:"worker_data_disks"`
	KeyPair            *string  `json:"key_pair"`
	LoginPassword      *string  `json:"login_password"`
	CloudMonitor       bool     `json:"cloud_monitor_flags"`
	CPUPolicy          *string  `json:"cpu_policy"`
	DisableRollback    bool     `json:"disable_rollback"` // the two languages of the document contradict each other; no effect here
	ImageID            string   `json:"image_id"`
	UserData           string   `json:"user_data"`
	RDSInstances       []string `json:"rds_instances"`
	Runtime            *struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"runtime"`
	Tags   []acTag   `json:"tags"`
	Taints []acTaint `json:"taints"`
}

// acDisk is a data disk. Its numbers are texts, as the document's table says and
// its sample doesn't.
type acDisk struct {
	Category       string `json:"category" ack:"required"`
	Size           string `json:"size" ack:"required"`
	Encrypted      string `json:"encrypted"`
	SnapshotPolicy string `json:"auto_snapshot_policy_id"`
}

type acTag struct {
	Key   string `json:"key" ack:"required"`
	Value string `json:"value"`
}

type acTaint struct {
	Key    string `json:"key" ack:"required"`
	Value  string `json:"value"`
	Effect string `json:"effect" ack:"required"`
}

// scaleOut is ScaleOutCluster. The same action has two bodies that share little
// but the name: which one is read is told by the cluster.
func (a *alibaba) scaleOut(c *acCall) (map[string]any, error) {
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	order := a.workerOrder
	if cl.Profile == "Edge" {
		order = a.edgeOrder
	}
	t, err := order(c, cl)
	if err != nil {
		return nil, err
	}
	if err := a.ready(cl, c.at); err != nil {
		return nil, err
	}
	if err := a.refusedByFault(c); err != nil {
		return nil, err
	}
	t.pool.desired += len(t.add)
	a.start(c, t)
	return map[string]any{"cluster_id": cl.ID, "task_id": t.id, "request_id": c.request}, nil
}

// workerOrder reads and checks the body for an ordinary cluster.
func (a *alibaba) workerOrder(c *acCall, cl *acCluster) (*acTask, error) {
	var p acWorkerParams
	if err := acDecode(c.body, &p); err != nil {
		return nil, err
	}
	if p.ClusterID != "" && p.ClusterID != cl.ID {
		return nil, acRefuse(acInvalid, "ClusterId %s is not the cluster of the path", p.ClusterID)
	}
	for _, check := range []error{
		a.mayGrow(cl, p.Count), a.checkMachines(p.InstanceTypes), cl.checkVSwitches(p.VSwitches), p.checkCharge(),
		a.checkDisks(&p), acLogin(p.KeyPair, p.LoginPassword), p.checkSettings(cl), acCheckTags(p.Tags, p.Taints),
	} {
		if check != nil {
			return nil, check
		}
	}
	pool := cl.defaultPool()
	t := a.grow(cl, pool, int(p.Count), p.InstanceTypes[0], c.at)
	t.kind, t.wide, t.params = kindScaleOut, true, map[string]any{"count": p.Count, "worker_instance_types": p.InstanceTypes}
	for _, n := range t.add {
		// What the request says, not what the pool would give.
		n.charge, n.spot, n.expires = acOr(p.ChargeType, "PostPaid"), "NoSpot", time.Time{}
		if n.charge == "PrePaid" {
			n.expires = c.at.AddDate(0, int(*p.Period), 0)
		}
	}
	return t, nil
}

func (a *alibaba) checkMachines(types []string) error {
	if len(types) < 1 || len(types) > 10 {
		return acRefuse(acInvalid, "worker_instance_types must name 1 to 10 types, got %d", len(types))
	}
	for _, m := range types {
		if _, ok := a.machines[m]; !ok || !strings.HasPrefix(m, "ecs.") {
			return acRefuse(acBadMachine, "The specified InstanceType %s is not supported.", m)
		}
	}
	return nil
}

func (c *acCluster) checkVSwitches(ids []string) error {
	if len(ids) < 1 || len(ids) > 3 {
		return acRefuse(acInvalid, "vswitch_ids must name 1 to 3 vSwitches, got %d", len(ids))
	}
	for _, id := range ids {
		if !slices.Contains(c.VSwitches, id) {
			return acRefuse(acBadVSwitch, "The specified vSwitch %s does not exist in the VPC of the cluster.", id)
		}
	}
	return nil
}

// checkCharge holds the term to prepaid nodes. That a term "takes effect only"
// there is what the document says; one sent with hourly nodes is a mistake
// either way and refused here.
func (p *acWorkerParams) checkCharge() error {
	switch p.ChargeType {
	case "", "PostPaid":
		if p.Period != nil || p.PeriodUnit != "" || p.AutoRenew || p.AutoRenewPeriod != nil {
			return acRefuse(acInvalid, "worker_period, worker_period_unit and worker_auto_renew go with PrePaid only")
		}
		return nil
	case "PrePaid":
	default:
		return acOneOf("worker_instance_charge_type", p.ChargeType, "PrePaid", "PostPaid")
	}
	if p.PeriodUnit == "" {
		return acRefuse(acMissing, "worker_period_unit is required with PrePaid")
	}
	if err := acOneOf("worker_period_unit", p.PeriodUnit, "Month"); err != nil {
		return err
	}
	if err := acTerm("worker_period", p.Period, acTerms); err != nil {
		return err
	}
	return acRenewal(p.AutoRenew, p.AutoRenewPeriod, acTerms)
}

// acRenewal checks the renewal period, which goes with auto renewal and only
// with it.
func acRenewal(renew bool, period *int64, terms []int64) error {
	if !renew && period != nil {
		return acRefuse(acInvalid, "worker_auto_renew_period goes with worker_auto_renew only")
	}
	if !renew {
		return nil
	}
	return acTerm("worker_auto_renew_period", period, terms)
}

// checkDisks checks categories and sizes in GiB (SDK's text: system disk 40 to
// 500, data disks 40 to 32767). With worker_data_disk false the disks of the
// list are not mounted, as in the document's sample.
func (a *alibaba) checkDisks(p *acWorkerParams) error {
	if _, ok := a.disks[p.SystemDiskCategory]; p.SystemDiskCategory != "" && !ok {
		return acRefuse(acInvalid, "worker_system_disk_category %q is not on offer", p.SystemDiskCategory)
	}
	if p.SystemDiskSize != nil {
		if err := acIn("worker_system_disk_size", *p.SystemDiskSize, 40, 500, 1); err != nil {
			return err
		}
	}
	if p.DataDisk != nil && *p.DataDisk && len(p.DataDisks) == 0 {
		return acRefuse(acMissing, "worker_data_disks is required with worker_data_disk")
	}
	for _, d := range p.DataDisks {
		if _, ok := a.disks[d.Category]; !ok {
			return acRefuse(acInvalid, "data disk category %q is not on offer", d.Category)
		}
		size, err := strconv.ParseInt(d.Size, 10, 64)
		if err != nil {
			return acRefuse(acInvalid, "data disk size %q is not a number", d.Size)
		}
		if err := acIn("the size of a data disk", size, 40, 32767, 1); err != nil {
			return err
		}
		if err := acOneOf("encrypted", acOr(d.Encrypted, "false"), "true", "false"); err != nil {
			return err
		}
	}
	return nil
}

// acLogin wants exactly one of key pair and password.
func acLogin(keyPair, password *string) error {
	switch {
	case (keyPair == nil) == (password == nil):
		return acRefuse(acMissing, "exactly one of key_pair and login_password is required")
	case password != nil:
		return acPassword(*password)
	case *keyPair == "":
		return acRefuse(acInvalid, "key_pair is empty")
	}
	return nil
}

// acPassword checks the documented rule: 8 to 30 characters of at least three of
// upper case, lower case, digits and special characters.
func acPassword(text string) error {
	var upper, lower, digit, special int
	for _, r := range text {
		switch {
		case r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ':
			return acRefuse(acBadPassword, "login_password has a character that is not allowed")
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			special = 1
		}
	}
	if len(text) < 8 || len(text) > 30 || upper+lower+digit+special < 3 {
		// The password itself is never repeated: answers end up in logs.
		return acRefuse(acBadPassword, "login_password must have 8 to 30 characters of three kinds")
	}
	return nil
}

func (p *acWorkerParams) checkSettings(cl *acCluster) error {
	if p.CPUPolicy != nil {
		if err := acOneOf("cpu_policy", *p.CPUPolicy, "none", "static"); err != nil {
			return err
		}
		if *p.CPUPolicy == "static" && acOlder(cl.Version, 1, 12, 6) {
			return acRefuse(acInvalid, "cpu_policy static needs Kubernetes 1.12.6, cluster %s has %s", cl.ID, cl.Version)
		}
	}
	if _, err := base64.StdEncoding.DecodeString(p.UserData); err != nil {
		return acRefuse(acInvalid, "user_data is not base64")
	}
	if p.Runtime != nil {
		return acOneOf("runtime.name", p.Runtime.Name, "docker", "containerd", "Sandboxed-Container.runv")
	}
	return nil
}

// acOlder says whether a version such as 1.30.1-aliyun.1 comes before another.
// One that can't be read is not older.
func acOlder(version string, major, minor, patch int) bool {
	var have [3]int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &have[0], &have[1], &have[2]); err != nil {
		return false
	}
	return slices.Compare(have[:], []int{major, minor, patch}) < 0
}

// acCheckTags checks the rules of the SDK's text: at most 20, keys once and of 1
// to 64 characters, values of at most 128, and no reserved beginnings.
func acCheckTags(tags []acTag, taints []acTaint) error {
	if len(tags) > 20 {
		return acRefuse(acInvalid, "at most 20 tags can be given, got %d", len(tags))
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || len([]rune(t.Key)) > 64 || len([]rune(t.Value)) > 128 || seen[t.Key]:
			return acRefuse(acInvalid, "tag %q is empty, too long or there twice", t.Key)
		case slices.ContainsFunc([]string{"aliyun", "acs:", "http://", "https://"}, func(bad string) bool {
			return strings.HasPrefix(t.Key, bad) || strings.HasPrefix(t.Value, bad)
		}):
			return acRefuse(acInvalid, "tag %q has a reserved beginning", t.Key)
		}
		seen[t.Key] = true
	}
	for _, t := range taints {
		if t.Key == "" {
			return acRefuse(acInvalid, "a taint has no key")
		}
		if err := acOneOf("the effect of a taint", t.Effect, "NoSchedule", "PreferNoSchedule", "NoExecute"); err != nil {
			return err
		}
	}
	return nil
}
