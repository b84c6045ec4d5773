"""Revoking grants: plan, brakes, approval, acting, verifying."""
