"""How well apps are identified, measured on real apps listed apart from the catalog: `make eval`."""
