"""Use-cases: what Lantern does, wired from the store and the connectors."""
