"""Revoking grants: plan, brakes, approval, acting, verifying."""

from lantern.services.remediation.requests import approve, cancel, request_job

__all__ = ["approve", "cancel", "request_job"]
