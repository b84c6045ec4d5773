"""Pure domain: records, decisions and rules. No clock, no network, no cloud."""
