package huaweimrs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	hccore "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"
)

// errUnreadable is an answer that is not what the cloud documents.
var errUnreadable = errors.New("the answer can't be read")

// rawAnswer receives a body as it came. The SDK wants these two fields by name.
type rawAnswer struct {
	Body           *string
	HttpStatusCode int `json:"-"` //nolint:revive // the SDK sets it by this name
}

// read makes a read call and decodes its answer with our own types: the SDK's
// fail on the whole answer when one count comes as text instead of a number, and
// editions of the service do both (reference section 2.1).
func read(c *hccore.HcHttpClient, d *def.HttpRequestDef, request, into any) error {
	answer := new(rawAnswer)
	d.Response = answer
	d.ResponseFields = []*def.FieldDef{def.NewFieldDef().WithName("Body").WithLocationType(def.Body)}
	if _, err := c.Sync(request, d); err != nil {
		return err
	}
	if answer.HttpStatusCode != http.StatusOK || answer.Body == nil {
		return fmt.Errorf("%w: HTTP %d", errUnreadable, answer.HttpStatusCode)
	}
	if err := json.Unmarshal([]byte(*answer.Body), into); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return nil
}

// text is a field that may come as text, number, Boolean or null, which samples
// also write as the text "null". Anything else is empty: one odd field must not
// hide the rest.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case json.Unmarshal(b, &s) == nil: // null leaves it empty
	case len(b) > 0 && b[0] != '{' && b[0] != '[':
		s = string(b)
	}
	if *t = text(strings.TrimSpace(s)); *t == "null" {
		*t = ""
	}
	return nil
}

// number is a whole number from 0 that may come as text; set tells 0 from none.
type number struct {
	n   int
	set bool
}

func (n *number) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	v, err := strconv.Atoi(string(t))
	*n = number{}
	if err == nil && v >= 0 {
		*n = number{v, true}
	}
	return nil //nolint:nilerr // a count that is no number counts as not given
}

// or is the number, or another where none was given.
func (n number) or(other int) int {
	if n.set {
		return n.n
	}
	return other
}

// cluster is what ShowClusterDetails and ListClusters say of one. Names are read
// in any case: the SDK's node groups are in PascalCase, the pages' in camelCase.
type cluster struct {
	ID         text        `json:"clusterId"`
	Name       text        `json:"clusterName"`
	State      text        `json:"clusterState"`
	Scale      text        `json:"scale"`
	Stage      text        `json:"stageDesc"`
	Error      text        `json:"errorInfo"`
	Updated    text        `json:"updateAt"`
	Billing    text        `json:"billingType"`
	Period     number      `json:"periodType"`
	Masters    number      `json:"masterNodeNum"`
	Cores      number      `json:"coreNodeNum"`
	MasterSize text        `json:"masterNodeSize"`
	CoreSize   text        `json:"coreNodeSize"`
	Groups     []nodeGroup `json:"nodeGroups"`
	TaskGroups []nodeGroup `json:"taskNodeGroups"`
}

type nodeGroup struct {
	Name      text   `json:"groupName"`
	Count     number `json:"nodeNum"`
	Size      text   `json:"nodeSize"`
	RootType  text   `json:"rootVolumeType"`
	RootSize  number `json:"rootVolumeSize"`
	DataType  text   `json:"dataVolumeType"`
	DataSize  number `json:"dataVolumeSize"`
	DataCount number `json:"dataVolumeCount"`
}

// host is one machine of ListHosts. ID is its VM's, which server_ids takes.
type host struct {
	ID     text `json:"id"`
	Name   text `json:"name"`
	IP     text `json:"ip"`
	Status text `json:"status"`
	Flavor text `json:"flavor"`
	Type   text `json:"type"`
	Group  text `json:"node_group_name"`
}
