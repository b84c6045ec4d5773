"""The operator CLI: `.venv/bin/python scripts/admin.py NOUN VERB` (`--help` lists everything).

Acts on the running local cloud, or on a stage on AWS (`--stage`, `--profile`, `--region`) through the
stack's OperatorRole. docs/operations.md has the everyday tasks.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run one command."""
    # Run as a file, the folder of this file would come first: `build` and `local` are common names.
    sys.path[:1] = [str(ROOT), str(ROOT / "shared")]
    from scripts.admin_cli.app import app

    app()


if __name__ == "__main__":
    main()
