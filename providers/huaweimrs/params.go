package huaweimrs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// params are the request fields that a group's config may set. Everything else
// of the request is the command's, or reserved by the service.
type params struct {
	first             *nodeInfo // task_node_info
	skipBootstrap     *bool     // skip_bootstrap_scripts
	scaleWithoutStart *bool     // scale_without_start
}

// nodeInfo is what the first nodes of an empty task group are (document, table
// 3). All four fields are always sent: the SDK has no way to leave one out and
// would send "" and 0.
type nodeInfo struct {
	size        string // node_size: the flavour, e.g. s3.xlarge.2.linux.bigdata
	volumeType  string
	volumeCount int
	volumeSizeG int // each, in GB
}

// The ranges of the document's table 3. The SDK's text widens the count to 0..20
// and its enum adds GPSSD; the count is held to the document, the type is taken,
// because newer regions offer no other.
const (
	minVolumes, maxVolumes       = 1, 10
	minVolumeSize, maxVolumeSize = 100, 32000
)

var volumeTypes = []string{"SATA", "SAS", "SSD", "GPSSD"}

// disk reads a disk of the command as the volumes of a node; advice is empty when
// it is one.
func (n *nodeInfo) disk(d providers.Disk) (advice providers.Text) {
	n.volumeType, n.volumeCount, n.volumeSizeG = strings.ToUpper(d.Type), d.Count, d.SizeG
	if !slices.Contains(volumeTypes, n.volumeType) || !within(d.Count, minVolumes, maxVolumes) || !within(d.SizeG, minVolumeSize, maxVolumeSize) {
		return providers.Text{
			EN: fmt.Sprintf("A disk of MRS is TYPE:GiBxN with type %s, %d to %d GB and %d to %d disks, for example disk=SAS:200x2.",
				strings.Join(volumeTypes, ", "), minVolumeSize, maxVolumeSize, minVolumes, maxVolumes),
			ZH: fmt.Sprintf("MRS 的数据盘写作 类型:GiBx数量：类型为 %s，每块 %d～%d GB，%d～%d 块，例如 disk=SAS:200x2。",
				strings.Join(volumeTypes, "、"), minVolumeSize, maxVolumeSize, minVolumes, maxVolumes),
		}
	}
	return providers.Text{}
}

func (n nodeInfo) disks() []providers.Disk {
	return []providers.Disk{{Type: n.volumeType, SizeG: n.volumeSizeG, Count: n.volumeCount}}
}

func within(n, low, high int) bool { return low <= n && n <= high }

// ownFields are request fields that people look for in params, and why they
// can't be set there.
var ownFields = map[string]string{
	"parameters":      "its fields stand directly in params",
	"scale_type":      "it follows from the command's amount",
	"instances":       "it is the command's amount",
	"node_group":      "it is a key of the group itself, beside params",
	"server_ids":      "the command names the nodes, or they are chosen when the plan is made",
	"node_id":         "it has one value only, which is always sent",
	"order_id":        "the service keeps it for itself",
	"service_id":      "the service keeps it for itself",
	"plan_id":         "the service keeps it for itself",
	"previous_values": "the service keeps it for itself",
}

var (
	paramNames = []string{"task_node_info", "skip_bootstrap_scripts", "scale_without_start"}
	infoNames  = []string{"node_size", "data_volume_type", "data_volume_count", "data_volume_size"}
)

// decodeParams reads config's params for a group. It reports every problem and
// decodes the rest.
func decodeParams(raw map[string]any, id string) (*params, []providers.Problem) {
	p, d := new(params), &decoder{}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		at := []string{"params", key}
		switch why, own := ownFields[key]; {
		case key == "skip_bootstrap_scripts":
			p.skipBootstrap = d.flag(at, raw[key])
		case key == "scale_without_start":
			p.scaleWithoutStart = d.flag(at, raw[key])
		case key == "task_node_info":
			p.first = d.info(at, raw[key])
			if roleOf(id) != task {
				d.Bad(at, "", "task_node_info is for the first nodes of a task group; %s is none.", id)
			}
		case own:
			d.Bad(at, "", "%s can't be configured: %s.", key, why)
		default:
			d.Bad(at, providers.Nearest(key, paramNames), "There is no field %s here; the fields are %s.", key, strings.Join(paramNames, ", "))
		}
	}
	return p, d.Found
}

type decoder struct{ adapter.Problems }

// flag takes a Boolean, as the document types it. A quoted "false" is refused:
// it is one slip away from a text that reads as true.
func (d *decoder) flag(path []string, raw any) *bool {
	b, ok := raw.(bool)
	if !ok {
		d.Bad(path, "", "%s must be true or false, not %s.", path[len(path)-1], adapter.TypeName(raw))
		return nil
	}
	return &b
}

func (d *decoder) info(path []string, raw any) *nodeInfo {
	m, ok := raw.(map[string]any)
	if !ok {
		d.Bad(path, "", "task_node_info must be a map of fields, not %s.", adapter.TypeName(raw))
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(infoNames, key) {
			d.Bad(append(slices.Clone(path), key), providers.Nearest(key, infoNames), "There is no field %s here; the fields are %s.", key, strings.Join(infoNames, ", "))
		}
	}
	n := new(nodeInfo)
	n.size = d.text(path, m, "node_size")
	n.volumeType = d.text(path, m, "data_volume_type")
	if n.volumeType != "" && !slices.Contains(volumeTypes, n.volumeType) {
		d.Bad(append(slices.Clone(path), "data_volume_type"), providers.Nearest(n.volumeType, volumeTypes), "%q is not possible here: %s.", n.volumeType, strings.Join(volumeTypes, ", "))
	}
	n.volumeCount = d.number(path, m, "data_volume_count", minVolumes, maxVolumes)
	n.volumeSizeG = d.number(path, m, "data_volume_size", minVolumeSize, maxVolumeSize)
	return n
}

// field is a field of task_node_info. The document calls three of the four
// optional, but the SDK sends them in any case, so they must be said.
func (d *decoder) field(path []string, m map[string]any, key string) (any, []string, bool) {
	at := append(slices.Clone(path), key)
	v, ok := m[key]
	if !ok {
		d.Bad(path, "", "%s is missing: give all of %s.", key, strings.Join(infoNames, ", "))
	}
	return v, at, ok
}

func (d *decoder) text(path []string, m map[string]any, key string) string {
	raw, at, ok := d.field(path, m, key)
	if !ok {
		return ""
	}
	s, ok := raw.(string)
	switch {
	case !ok:
		d.Bad(at, "", "%s must be a text, not %s.", key, adapter.TypeName(raw))
	case strings.TrimSpace(s) == "":
		d.Bad(at, "", "%s is empty.", key)
	}
	return s
}

func (d *decoder) number(path []string, m map[string]any, key string, low, high int) int {
	raw, at, ok := d.field(path, m, key)
	if !ok {
		return 0
	}
	n, ok := adapter.Integer(raw)
	switch {
	case !ok:
		d.Bad(at, "", "%s must be a whole number, not %s.", key, adapter.TypeName(raw))
	case n < int64(low) || n > int64(high):
		d.Bad(at, "", "%s is %d to %d, not %d.", key, low, high, n)
	}
	return int(n)
}
