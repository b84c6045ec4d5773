"""The posture of an organisation from what it has already exported: pure, from rows to judgement."""
