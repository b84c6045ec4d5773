"""Make the zips that a template refers to: `python -m scripts.build.artifacts` writes those for AWS.

What a `CodeUri` or `ContentUri` means depends on where it points: `shared` is our own code with its
compiled knowledge, `layers/<name>` are the wheels of `requirements/<name>.txt` (`layers/dependencies`:
`runtime.txt`), anything else is a folder zipped as it is.
"""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.build.archive import zip_trees
from scripts.build.content import build_content
from scripts.build.dependencies import dependency_tree, dependency_zip
from scripts.build.targets import LAMBDA, Target
from scripts.build.template import dump_template, load_template, local_references, replace_reference
from scripts.build.wheels import UNZIPPED_LIMIT, unzipped_size, wheel_problems

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "aws"

_SHARED = "shared"
_LAYERS = "layers"
_COMPILED = "python/lantern/content/_compiled/"
_REQUIREMENTS = {"dependencies": "runtime"}  # layer -> requirements file, where the names differ


@dataclass(frozen=True, slots=True)
class Artifact:
    """A zip for one reference of the template."""

    uri: str
    content: bytes

    @property
    def digest(self) -> str:
        """The content's SHA-256 in hex: its name in the artifacts bucket."""
        return hashlib.sha256(self.content).hexdigest()


def make_artifact(project: Path, uri: str, target: Target) -> Artifact:
    """Make the zip for a reference of the template in `project`.

    Raises:
        FileNotFoundError: the folder or the requirements file is missing.
        RuntimeError: the wheels cannot be had for the target.
    """
    path = Path(uri)
    if uri == _SHARED:
        return Artifact(uri, _shared_layer(project / _SHARED))
    if path.parent.as_posix() == _LAYERS:
        return Artifact(uri, dependency_zip(requirements_of(project, path.name), target))
    folder = project / path
    if not folder.is_dir():
        raise FileNotFoundError(f"the template refers to {uri}, but there is no folder {folder}")
    return Artifact(uri, zip_trees({"": folder}))


def requirements_of(project: Path, layer: str) -> Path:
    """Return the hash-pinned requirements of a dependency layer."""
    return project / "requirements" / f"{_REQUIREMENTS.get(layer, layer)}.txt"


def _shared_layer(shared: Path) -> bytes:
    with tempfile.TemporaryDirectory() as compiled:
        build_content(Path(compiled))
        return zip_trees({"python/lantern/": shared / "lantern", _COMPILED: Path(compiled)})


def build(project: Path = ROOT, output: Path = OUTPUT, report: Callable[[str], None] = print) -> Path:
    """Write layers, functions and a template that refers to them into `output`; return the template's path.

    Raises:
        RuntimeError: a wheel does not run on Lambda, or a function with its layers is too large.
    """
    template = load_template(project / "template.yaml")
    for resource, name, uri in local_references(template):
        artifact = make_artifact(project, uri, LAMBDA)
        zipped = output / f"{_folder(uri)}/{Path(uri).name}.zip"
        zipped.parent.mkdir(parents=True, exist_ok=True)
        zipped.write_bytes(artifact.content)
        replace_reference(template, resource, name, zipped.relative_to(output).as_posix())
        report(f"{zipped.relative_to(output)}  {len(artifact.content) / 1e6:.1f} MB")
    verify(project, [uri for _, _, uri in local_references(load_template(project / "template.yaml"))])
    written = output / "template.yaml"
    written.write_text(dump_template(template))
    return written


def verify(project: Path, uris: list[str]) -> None:
    """Check the dependency layers' wheels and that the largest function fits with every layer.

    Raises:
        RuntimeError: naming each wheel or the size that does not fit.
    """
    layers = [uri for uri in uris if Path(uri).parent.as_posix() == _LAYERS]
    trees = [dependency_tree(requirements_of(project, Path(uri).name), LAMBDA) for uri in layers]
    problems = [problem for tree in trees for problem in wheel_problems(tree / "python")]
    folders = [project / uri for uri in uris if uri != _SHARED and uri not in layers]
    largest = max((unzipped_size([folder]) for folder in folders), default=0)
    shared = [project / _SHARED] if _SHARED in uris else []
    size = largest + unzipped_size([*trees, *shared])
    if size > UNZIPPED_LIMIT:
        problems.append(f"function and layers unzip to {size / 2**20:.0f} MiB, over Lambda's 250")
    if problems:
        raise RuntimeError("the artifacts do not run on Lambda:\n" + "\n".join(problems))


def _folder(uri: str) -> str:
    return "layers" if uri == _SHARED or Path(uri).parent.as_posix() == _LAYERS else "functions"


if __name__ == "__main__":
    print(f"wrote {build()}")
