"""Settings, wiring, observability, problem details: what a function needs to run."""
