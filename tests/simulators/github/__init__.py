"""A simulated GitHub over real HTTP on this machine: REST API, app installation, web hooks.

It verifies the app's signed statements, hands out tokens of installations and of people, refuses what a token
has no permission for (naming the permission in `X-Accepted-GitHub-Permissions`), pages with `Link`, keeps the
primary and secondary rate limits, and delivers web hooks once. One base address serves github.com and
api.github.com.

Known limits: one app is ours; only the paths that Lantern uses; bodies are never compressed.
"""

from .model import OrgSpec
from .simulator import APP, AppSpec, GithubSimulator

__all__ = ["APP", "AppSpec", "GithubSimulator", "OrgSpec"]
