"""Build, local cloud and operator tooling: nothing here is shipped to AWS."""
