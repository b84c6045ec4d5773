"""Compile the playbook pages of `shared/lantern/content/playbooks` to `playbooks.json`, walking their tests.

python -m scripts.build.compile_playbooks build/content      compile, or say what is wrong
python -m scripts.build.compile_playbooks --schema           print the JSON Schema of a page
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from lantern.domain.playbooks.authoring import (
    PlaybooksInvalidError,
    Problem,
    compile_page,
    compile_set,
    page_schema,
)
from lantern.domain.playbooks.loading import FILE_NAME
from scripts.build.compile_rules import read_page

PAGES: Final = Path(__file__).resolve().parents[2] / "shared" / "lantern" / "content" / "playbooks"


def compile_pages(folder: Path = PAGES) -> dict[str, Any]:
    """Every page of a folder, checked, tested and assembled.

    Raises:
        PlaybooksInvalidError: with the problems of all pages, or because there is no page.
    """
    problems: list[Problem] = []
    books = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            book = compile_page(read_page(path), path.name)
        except PlaybooksInvalidError as error:
            problems += error.problems
            continue
        if book.id != path.stem:
            problems.append(Problem(path.name, "id", f"must be the file's name, {path.stem}"))
        books.append(book)
    if not books and not problems:
        problems.append(Problem(str(folder), "folder", "holds no *.yaml"))
    if problems:
        raise PlaybooksInvalidError(problems)
    return compile_set(books)


def compile_to(out_dir: Path) -> None:
    """Compile the shipped pages to `out_dir/playbooks.json`; the same pages give the same bytes."""
    text = json.dumps(compile_pages(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def main() -> int:
    """Command line entry; 1 when a page is wrong."""
    parser = argparse.ArgumentParser(description="Compile Lantern's playbook pages.")
    parser.add_argument("out_dir", nargs="?", type=Path, help="where playbooks.json goes")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of a page")
    options = parser.parse_args()
    if options.schema:
        print(json.dumps(page_schema(), indent=2))
    elif options.out_dir is None:
        parser.error("name a folder for playbooks.json, or ask for --schema")
    else:
        try:
            compile_to(options.out_dir)
        except PlaybooksInvalidError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
