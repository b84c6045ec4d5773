"""Gap: every invocation whose handler logs nothing waits 50 ms for a log line that never comes.

The worker's log is read for 2 ms instead; once a line has come, reading goes on until 5 ms are silent.
"""

from ministack.core import lambda_runtime

from scripts.local_cloud.patches.seam import install, private

_FIRST_LINE_WAIT_S = 0.002
_IDLE_CONFIRM_S = 0.005
_HARD_CAP_S = 0.250


def apply() -> None:
    """Shorten the wait for a handler's first log line."""
    drain = private(lambda_runtime.Worker, "_drain_stderr_bounded")
    install(drain, "__defaults__", (_FIRST_LINE_WAIT_S, _IDLE_CONFIRM_S, _HARD_CAP_S))
