"""Reading a connection: full runs, single bundles, audit feeds, history."""
