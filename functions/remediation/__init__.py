"""The remediation worker."""
