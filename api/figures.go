package api

import "github.com/vectorlink/vectorlink/search"

// figure is a number that /statistics tells under names of the second generation,
// some of which were made for other parts: the help says what they count here (wire
// contract §5).
type figure struct {
	name string
	// metric is its name in /metrics, without "vectorlink_"; "" for those that have
	// another there.
	metric   string
	internal bool // told under internal
	help     string
	value    func(*search.Statistics) int64
}

// figures lists them in the order of the contract.
var figures = []figure{
	{"domains", "domains", false, "Domains of which something is indexed.", func(s *search.Statistics) int64 { return int64(s.Domains) }},
	{"branches", "branches", false, "Branches with an indexed commit.", func(s *search.Statistics) int64 { return int64(s.Branches) }},
	{"indexed_commits", "indexed_commits", false, "Indexed commits.", func(s *search.Statistics) int64 { return int64(s.IndexedCommits) }},
	{"documents", "documents", false, "Documents at branch heads, as their headers say.", func(s *search.Statistics) int64 { return int64(s.Documents) }},
	{"chunks", "chunks", false, "Chunks of those documents.", func(s *search.Statistics) int64 { return int64(s.Chunks) }},
	// A commit shows when all of it is indexed: what is pending is what is being made.
	{"pending_index_fragments", "pending_index_fragments", false, "Commits that are being made: alias of vectorlink_inflight_commits.", func(s *search.Statistics) int64 { return int64(s.Unfinished) }},
	{"pending_index_documents", "pending_index_documents", false, "Texts of them at the embedder: alias of vectorlink_texts_embedding.", func(s *search.Statistics) int64 { return int64(s.Embedding) }},

	{"cached_datasets", "cached_datasets", true, "Alias of vectorlink_pool_entries of snapshots.", func(s *search.Statistics) int64 { return int64(s.Snapshots) }},
	{"tasks", "tasks", true, "Known tasks, finished ones included.", func(s *search.Statistics) int64 { return int64(s.Tasks) }},
	{"branch_indexes", "branch_indexes", true, "Alias of vectorlink_branches.", func(s *search.Statistics) int64 { return int64(s.Branches) }},
	{"snapshot_bytes", "", true, "", func(s *search.Statistics) int64 { return s.SnapshotBytes }},
	{"pipeline_locks", "pipeline_locks", true, "Branches that pushes are at work on.", func(s *search.Statistics) int64 { return int64(s.BusyBranches) }},
	{"domain_guards", "domain_guards", true, "Domains in use by tasks or open snapshots.", func(s *search.Statistics) int64 { return int64(s.BusyDomains) }},
	{"inflight_commits", "inflight_commits", true, "Tasks that have not ended.", func(s *search.Statistics) int64 { return int64(s.Unfinished) }},
	{"pipeline_pending_chunks", "pipeline_pending_chunks", true, "Alias of vectorlink_texts_embedding.", func(s *search.Statistics) int64 { return int64(s.Embedding) }},
	{"pipeline_embedded_chunks", "pipeline_embedded_chunks", true, "Texts embedded for documents since the start.", func(s *search.Statistics) int64 { return s.Embedded }},
	{"pipeline_written_chunks", "pipeline_written_chunks", true, "Vectors stored since the start.", func(s *search.Statistics) int64 { return s.Written }},
	{"pipeline_active_tasks", "pipeline_active_tasks", true, "Alias of vectorlink_tasks_running.", func(s *search.Statistics) int64 { return int64(s.Running) }},
	{"fresh_open_count", "fresh_open_count_total", true, "Alias of vectorlink_pool_loads_total of snapshots.", func(s *search.Statistics) int64 { return s.Opened }},
	{"embed_cache_entries", "embed_cache_entries", true, "Vectors kept of texts seen before: documents' on disk and queries' in memory.", func(s *search.Statistics) int64 { return s.Vectors + s.Queries }},
	{"embed_cache_size_bytes", "embed_cache_size_bytes", true, "Bytes of those vectors.", func(s *search.Statistics) int64 { return s.VectorBytes + s.QueryBytes }},
	{"query_cache_entries", "", true, "", func(s *search.Statistics) int64 { return s.Queries }},
	{"query_cache_size_bytes", "", true, "", func(s *search.Statistics) int64 { return s.QueryBytes }},
	{"query_cache_hits", "", true, "", func(s *search.Statistics) int64 { return s.QueryHits }},
	{"query_cache_misses", "", true, "", func(s *search.Statistics) int64 { return s.QueryMisses }},
	{"lance_index_cache_capacity_bytes", "lance_index_cache_capacity_bytes", true, "Alias of vectorlink_pool_limit_bytes of snapshots.", func(s *search.Statistics) int64 { return s.SnapshotLimit }},
	{"lance_metadata_cache_capacity_bytes", "lance_metadata_cache_capacity_bytes", true, "Alias of vectorlink_pool_limit_bytes of pages.", func(s *search.Statistics) int64 { return s.PageLimit }},
}
