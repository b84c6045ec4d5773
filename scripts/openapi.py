"""Write `openapi.json` from the route tables, or check that it is up to date."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "openapi.json"


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or with `--check` compare; 1 where the committed one has drifted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "shared"))
    from lantern.runtime.api.application import document_text

    text = document_text()
    if not options.check:
        TARGET.write_text(text, encoding="utf-8")
        print(f"wrote {TARGET.relative_to(ROOT)}")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("openapi.json has drifted from the routes: run `make openapi` and commit it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
