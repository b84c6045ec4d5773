"""Logs of proxies, gateways and resolvers: each line says that somebody went somewhere. One module a vendor."""
