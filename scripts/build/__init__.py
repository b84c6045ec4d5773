"""Build the artifacts of the template, for AWS or for this machine, and deploy them."""
