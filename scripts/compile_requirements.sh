#!/usr/bin/env bash
# Compile requirements/*.txt from pyproject.toml: every wheel pinned by hash, no index address written.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/uv pip compile --universal --python-version 3.11 --quiet --generate-hashes \
    --no-header --no-annotate --no-emit-index-url "$@"
}
compile --group bootstrap -o requirements/bootstrap.txt
compile pyproject.toml -o requirements/runtime.txt
compile pyproject.toml --group cloud --group cli --group local --group test --group lint -o requirements/dev.txt
compile pyproject.toml --group cli --group calibrate --constraint requirements/dev.txt -o requirements/calibrate.txt
compile --group bench -o requirements/bench.txt
compile --group sam -o requirements/sam.txt
