"""`assess`: the posture of an organisation from exports it already has; no cloud, no consent, no network."""
