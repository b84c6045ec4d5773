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
    if sys.argv[1:3] == ["catalog", "scopes"]:
        # Needs no cloud, and the other verbs are slow to import.
        from scripts.admin_cli.catalog_scopes import app

        app(args=sys.argv[3:], prog_name="admin.py catalog scopes")
    if sys.argv[1:2] == ["assess"]:
        # Needs no cloud either.
        from scripts.admin_cli.assess.command import app as assess

        assess(args=sys.argv[2:], prog_name="admin.py assess")
    if sys.argv[1:2] == ["content"]:
        # Nor this.
        from scripts.admin_cli.content import app as content

        content(args=sys.argv[2:], prog_name="admin.py content")
    from scripts.admin_cli.app import app as whole

    whole()


if __name__ == "__main__":
    main()
