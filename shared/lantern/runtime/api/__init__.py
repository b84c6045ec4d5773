"""The REST API: a route table, one module per resource, and what all routes share."""
