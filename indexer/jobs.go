package indexer

import (
	"encoding/json"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/tasks"
)

// job is a task with what its run needs besides.
type job struct {
	*tasks.Job
	previous string
	settings catalog.SettingsRequest
	about    contract.About
	key      contract.Secret // the caller's provider key; never stored
	free     bool            // it must not embed
}

// resumption is what is kept of a pull for its run after a restart.
type resumption struct {
	Previous string                  `json:"previous,omitempty"`
	Settings catalog.SettingsRequest `json:"settings,omitzero"`
	About    contract.About          `json:"about,omitzero"`
}

func (req *IndexRequest) resumption() ([]byte, error) {
	return json.Marshal(resumption{req.Previous, req.Settings, req.About})
}

// resumed returns the job of a pull that was pending when the process ended.
func resumed(j *tasks.Job) (*job, error) {
	var kept resumption
	if err := json.Unmarshal(j.Resume(), &kept); err != nil {
		return nil, err
	}
	return &job{Job: j, previous: kept.Previous, settings: kept.Settings, about: kept.About}, nil
}

// queues holds the pulls that wait, by domain, with the one that runs at the
// head.
type queues struct {
	mu   sync.Mutex
	jobs map[string][]*job // guarded by mu
}

// put puts the job at the end of its domain's queue, and reports whether the
// queue was idle, so that the caller must serve it.
func (q *queues) put(domain string, j *job) (idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.jobs == nil {
		q.jobs = make(map[string][]*job)
	}
	q.jobs[domain] = append(q.jobs[domain], j)
	return len(q.jobs[domain]) == 1
}

// next returns the job at the head of the domain's queue after taking done (nil
// at first) off it; nil when the queue is empty.
func (q *queues) next(domain string, done *job) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := q.jobs[domain]
	if done != nil {
		jobs = jobs[1:]
	}
	if len(jobs) == 0 {
		delete(q.jobs, domain)
		return nil
	}
	q.jobs[domain] = jobs
	return jobs[0]
}
