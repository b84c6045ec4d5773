"""Files that a tenant hands in: accepted by the API, read by the tenant's own worker, scored like a run."""
