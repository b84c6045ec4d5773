"""One folder per provider behind the protocol of connectors/protocol.py."""
