"""Logs of proxies, gateways and resolvers, whose lines say who went where; one module a vendor."""
