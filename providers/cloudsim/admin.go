package cloudsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"time"
)

// State is everything a demo page needs to draw the clouds.
type State struct {
	Time     time.Time      `json:"time"`
	Clusters []ClusterState `json:"clusters"`
	Faults   []FaultState   `json:"faults"`
	Ledger   []Entry        `json:"ledger"` // newest first, at most 20, without bodies
}

// ClusterState is one cluster as it is now.
type ClusterState struct {
	Cloud      string          `json:"cloud"`
	Account    string          `json:"account"`
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Region     string          `json:"region"`
	Status     string          `json:"status"` // the cloud's own word or number
	StatusText string          `json:"status_text"`
	Usable     bool            `json:"usable"` // takes a change now
	Groups     []GroupState    `json:"groups"`
	Operation  *OperationState `json:"operation,omitempty"` // the running one
}

// GroupState is one node group.
type GroupState struct {
	ID    string      `json:"id"`
	Count int         `json:"count"`
	Type  string      `json:"type"` // default machine type
	Nodes []NodeState `json:"nodes"`
}

// NodeState is one machine.
type NodeState struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	IP      string `json:"ip"`
	Type    string `json:"type"`
	Charge  string `json:"charge"` // in the cloud's own word
	Started bool   `json:"started"`
}

// OperationState is the operation that runs on a cluster.
type OperationState struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Group    string       `json:"group"`
	Delta    int          `json:"delta"`
	Progress float64      `json:"progress"` // 0..1
	Blocked  bool         `json:"blocked"`
	Stages   []StageState `json:"stages"`
}

// StageState is one stage of it; Status is 0 pending, 1 running, 2 done, 3 partly
// done, -1 failed, whatever the cloud's own words are.
type StageState struct {
	Name     string  `json:"name"`
	Status   int     `json:"status"`
	Progress float64 `json:"progress"` // 0..1
}

// FaultState is a Fault in JSON. POST fault takes the same object without id.
type FaultState struct {
	ID      int       `json:"id,omitempty"`
	Kind    FaultKind `json:"kind"`
	Cloud   string    `json:"cloud,omitempty"`
	Action  string    `json:"action,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	Times   int       `json:"times,omitempty"` // 0 = once, -1 = until cleared
	Delay   string    `json:"delay,omitempty"` // e.g. "5s"
	Stage   int       `json:"stage,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Nodes   int       `json:"nodes,omitempty"`
	Status  string    `json:"status,omitempty"`
	Code    string    `json:"code,omitempty"`
}

// State looks at all clouds at once.
func (s *Sim) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := State{Time: s.time(), Faults: []FaultState{}, Ledger: []Entry{}}
	for _, c := range s.clouds {
		out.Clusters = append(out.Clusters, c.state()...)
	}
	for _, f := range s.faults.list() {
		fs := FaultState{
			ID: f.ID, Kind: f.Kind, Cloud: f.Cloud, Action: f.Action, Cluster: f.Cluster, Times: f.Times,
			Stage: f.Stage, Reason: f.Reason, Nodes: f.Nodes, Status: f.Status, Code: f.Code,
		}
		if f.Delay > 0 {
			fs.Delay = f.Delay.String()
		}
		out.Faults = append(out.Faults, fs)
	}
	for _, e := range slices.Backward(s.journal.entries) {
		if len(out.Ledger) == 20 {
			break
		}
		e.Body = nil
		out.Ledger = append(out.Ledger, e)
	}
	return out
}

// SetCount is somebody else resizing a group behind everybody's back: the
// nodes are there, or gone, at once. It fails for unknown clusters and groups
// and for a count below 0 or above 1000.
func (s *Sim) SetCount(cluster, group string, count int) error {
	if count < 0 || count > 1000 {
		return fmt.Errorf("cloudsim: a count of %d is not between 0 and 1000", count)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clouds {
		e, err := c.setCount(cluster, group, count)
		if errors.Is(err, errNoCluster) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cloudsim: %w", err)
		}
		s.journal.enter(e)
		return nil
	}
	return fmt.Errorf("cloudsim: cluster %s: %w", cluster, errNoCluster)
}

// AdminHandler is the demo page's way in. It looks only at the last part of the
// path, so it can be mounted anywhere, with or without http.StripPrefix:
//
//	GET  …/state   → State
//	POST …/fault   FaultState without id        → State
//	POST …/clear   {} for all or {"id": 3}      → State
//	POST …/set     {"cluster", "group", "count"} → State
//
// POSTs must be application/json, which a page of another origin can't send
// without asking first. Mistakes get 400 and {"error": "…"}.
func (s *Sim) AdminHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := path.Base(r.URL.Path)
		switch {
		case what == "state" && r.Method == http.MethodGet:
		case (what == "fault" || what == "clear" || what == "set") && r.Method == http.MethodPost:
			if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
				adminJSON(w, http.StatusUnsupportedMediaType, map[string]string{"error": "send application/json"})
				return
			}
			if err := s.adminPost(what, http.MaxBytesReader(w, r.Body, 1<<16)); err != nil {
				adminJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
				return
			}
		default:
			adminJSON(w, http.StatusNotFound, map[string]string{"error": "GET state, POST fault, POST clear, POST set"})
			return
		}
		adminJSON(w, http.StatusOK, s.State())
	})
}

func (s *Sim) adminPost(what string, body interface{ Read([]byte) (int, error) }) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	switch what {
	case "fault":
		var in FaultState
		if err := d.Decode(&in); err != nil {
			return err
		}
		delay := time.Duration(0)
		if in.Delay != "" {
			var err error
			if delay, err = time.ParseDuration(in.Delay); err != nil {
				return err
			}
		}
		_, err := s.Fault(Fault{
			Kind: in.Kind, Cloud: in.Cloud, Action: in.Action, Cluster: in.Cluster, Times: in.Times, Delay: delay,
			Stage: in.Stage, Reason: in.Reason, Nodes: in.Nodes, Status: in.Status, Code: in.Code,
		})
		return err
	case "clear":
		var in struct {
			ID int `json:"id"`
		}
		if err := d.Decode(&in); err != nil {
			return err
		}
		if in.ID == 0 {
			s.ClearFaults()
		} else if !s.ClearFault(in.ID) {
			return fmt.Errorf("no fault %d", in.ID)
		}
		return nil
	default:
		var in struct {
			Cluster string `json:"cluster"`
			Group   string `json:"group"`
			Count   *int   `json:"count"`
		}
		if err := d.Decode(&in); err != nil {
			return err
		}
		if in.Count == nil {
			return errors.New("count is missing")
		}
		return s.SetCount(in.Cluster, in.Group, *in.Count)
	}
}

func adminJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the page is gone: nobody left to tell
}
