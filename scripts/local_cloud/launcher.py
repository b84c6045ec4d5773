"""Run MiniStack in this process with its gaps bridged.

`python -m scripts.local_cloud.launcher [--unpatched]`. The address and everything else comes from the
environment that `cloud.py` prepares.
"""

import sys
from importlib import metadata

SUPPORTED_VERSION = "1.5.33"


def check_version(installed: str) -> None:
    """Refuse another MiniStack than the one the patches were written for; raises SystemExit."""
    if installed != SUPPORTED_VERSION:
        raise SystemExit(
            f"The local cloud needs MiniStack {SUPPORTED_VERSION}, found {installed}.\n"
            "Its patches reach into private code. Install the pinned version (make setup), or revise "
            "scripts/local_cloud/patches against the new one and run tests/local_cloud."
        )


def main(arguments: list[str]) -> None:
    """Patch and serve until SIGTERM; on a clean stop the state is written."""
    check_version(metadata.version("ministack"))
    from ministack import app

    from scripts.local_cloud.patches import apply_all

    if "--unpatched" not in arguments:
        apply_all()
    sys.argv = sys.argv[:1]
    app.main()


if __name__ == "__main__":
    main(sys.argv[1:])
