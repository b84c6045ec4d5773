"""What the simulators share: one organisation's people, so that accounts at several providers are theirs."""
