"""Lambda functions: one folder each, an entry without logic."""
