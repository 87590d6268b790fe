package alibabaack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"

	"scalebot/providers"
)

const (
	taskPage = 50
	// manyTasks is how many tasks are listed at most. The service keeps those of
	// years, and all replicas share its rate: more would cost every look its time.
	manyTasks = 10 * taskPage
	// noteLimit bounds the listing for the note, which a look can do without.
	noteLimit = 5 * time.Second
)

var errManyTasks = errors.New("more tasks than are worth listing")

// A task's type and state are words that no page lists in full, so they are read
// by their stems: nodepool_scaleout and cluster_scaleout add, nodepool_scalein,
// nodepool_node_remove and cluster_node_delete remove; fail and failed, canceled
// and cancelled are the same (reference section 6).
var (
	addingStems   = []string{"scaleout", "scale_out", "scale-out"}
	removingStems = []string{"scalein", "scale_in", "scale-in", "remove", "delete_node", "node_delete", "nodes_delete"}
)

const (
	stemSuccess = "success"
	stemFail    = "fail"
	stemCancel  = "cancel"
	stemPause   = "pause"
	wordRunning = "running"
)

// word is a state as it is compared.
func word(state *string) string { return strings.ToLower(strings.TrimSpace(value(state))) }

// is reports whether a state has come to a stem. cancelling and pausing have not:
// they are still running.
func is(state *string, stem string) bool {
	return strings.HasPrefix(word(state), stem) && !strings.HasSuffix(word(state), "ing")
}

func kindFits(taskType string, adds bool) bool {
	stems := removingStems
	if adds {
		stems = addingStems
	}
	t := strings.ToLower(taskType)
	return slices.ContainsFunc(stems, func(s string) bool { return strings.Contains(t, s) })
}

// made is a task of a cluster's list.
type made struct {
	id, kind string
	at       time.Time
}

// listTasks reads all tasks of a cluster: their order is not documented, so no
// page can be left out.
func (p *provider) listTasks(ctx context.Context, cluster string) ([]made, error) {
	type list struct {
		tasks []made
		total int
	}
	return pages("DescribeClusterTasks", func(t made) string { return t.id }, func(page int) ([]made, int, error) {
		x := exchange{"DescribeClusterTasks", read, rate}
		l, err := send(ctx, p, x, func(w *wire) (list, error) {
			r, err := w.client.DescribeClusterTasksWithOptions(&cluster, &cs.DescribeClusterTasksRequest{
				PageNumber: new(int32(page)), PageSize: new(int32(taskPage)), //nolint:gosec // a page number
			}, w.headers, w.options)
			switch {
			case err != nil:
				return list{}, err
			case r.Body == nil || r.Body.PageInfo == nil || r.Body.PageInfo.TotalCount == nil:
				return list{}, errNoAnswer
			}
			l := list{total: int(*r.Body.PageInfo.TotalCount)}
			for _, t := range r.Body.Tasks {
				if t != nil {
					l.tasks = append(l.tasks, made{value(t.TaskId), value(t.TaskType), timeOf(t.Created)})
				}
			}
			return l, nil
		})
		if err == nil && l.total > manyTasks {
			err = fmt.Errorf("%d: %w", l.total, errManyTasks)
		}
		return l.tasks, l.total, err
	})
}

// noteTasks keeps which tasks there are: one found later that is not among them
// was made since. All are told by the newest one's time, by the cloud's clock,
// and the ids made in that very second. A cluster whose tasks can't be listed, for
// want of the right or of an answer, or because it has so many, can still be
// scaled: without the note Reconcile just has less to go by. The rest of the look is
// not lost over it, so it may take half of the time that is left.
func (p *provider) noteTasks(ctx context.Context, cluster string, facts map[string]string) {
	limit := noteLimit
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tasks, err := p.listTasks(ctx, cluster)
	if err != nil {
		return
	}
	var newest time.Time
	for _, t := range tasks {
		if t.at.After(newest) {
			newest = t.at
		}
	}
	var ids []string
	for _, t := range tasks {
		if t.at.Equal(newest) || t.at.IsZero() {
			ids = append(ids, t.id)
		}
	}
	slices.Sort(ids)
	facts[factNewest] = newest.UTC().Format(time.RFC3339Nano)
	facts[factTasks] = strings.Join(ids, ",")
}

// since are the tasks made after a snapshot that could be a change of this
// direction; none where the snapshot has no note of them.
func since(s providers.Snapshot, tasks []made, adds bool) []made {
	newest, err := time.Parse(time.RFC3339Nano, s.Facts[factNewest])
	if err != nil {
		return nil
	}
	old := strings.Split(s.Facts[factTasks], ",")
	var out []made
	for _, t := range tasks {
		// One without a time proves nothing: it may have been listed late.
		if !t.at.IsZero() && !t.at.Before(newest) && !slices.Contains(old, t.id) && kindFits(t.kind, adds) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b made) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	return out
}

type sdkTask = cs.DescribeTaskInfoResponseBody

func (p *provider) task(ctx context.Context, id string) (*sdkTask, error) {
	x := exchange{"DescribeTaskInfo", read, taskRate}
	t, err := send(ctx, p, x, func(w *wire) (*sdkTask, error) {
		r, err := w.client.DescribeTaskInfoWithOptions(&id, w.headers, w.options)
		switch {
		case err != nil:
			return nil, err
		case r.Body == nil || value(r.Body.State) == "":
			return nil, errNoAnswer
		}
		return r.Body, nil
	})
	var e *providers.Error
	if errors.As(err, &e) && e.Kind == providers.NotFound {
		e.Advice = noTask.advice
	}
	return t, err
}

// claims reports whether a task says of itself that it is the change, as far as
// the service says such things: the nodes to remove; the pool; and the number,
// where the pool is in no doubt.
func claims(t *sdkTask, kind string, c providers.Change) bool {
	pool, number := t.Target != nil && value(t.Target.Id) == c.GroupID, false
	for k, v := range t.Parameters {
		switch strings.ToLower(k) {
		case "count":
			n, ok := numberOf(v)
			number = ok && n == c.Delta
		case "nodepool_id":
			id, _ := v.(string)
			pool = pool || id == c.GroupID
		case "instance_ids":
			if !c.Adds() && len(c.Nodes) > 0 && mentions(v, c.Nodes) {
				return true
			}
		}
	}
	return pool || number && (wide(c) || strings.HasPrefix(strings.ToLower(kind), "nodepool"))
}

// elsewhere reports whether a task says that it is about a pool whose nodes are
// none of the change's.
func elsewhere(t *sdkTask, c providers.Change) bool {
	if wide(c) {
		return false
	}
	other := func(id string) bool { return poolShape.MatchString(id) && id != c.GroupID }
	if t.Target != nil && other(value(t.Target.Id)) {
		return true
	}
	for k, v := range t.Parameters {
		if id, ok := v.(string); ok && strings.EqualFold(k, "nodepool_id") && other(id) {
			return true
		}
	}
	return false
}

// contradicts reports whether a task says of itself that it is another change:
// another pool, another number, other nodes. What it doesn't say, it can't
// contradict.
func contradicts(t *sdkTask, c providers.Change) bool {
	if t.Target != nil {
		switch id := value(t.Target.Id); id {
		case "", c.ClusterID, c.GroupID:
		default:
			// All workers of a cluster are no object of the cloud: any pool of it
			// may be the target then.
			if !wide(c) || !poolShape.MatchString(id) {
				return true
			}
		}
	}
	for k, v := range t.Parameters {
		switch strings.ToLower(k) {
		case "count":
			if n, ok := numberOf(v); ok && c.Adds() && n != c.Delta {
				return true
			}
		case "nodepool_id":
			if id, ok := v.(string); ok && poolShape.MatchString(c.GroupID) && id != c.GroupID {
				return true
			}
		case "instance_ids":
			if !c.Adds() && !mentions(v, c.Nodes) {
				return true
			}
		}
	}
	return false
}
