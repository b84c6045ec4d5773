"""Gap: code and layers are unpacked anew for every worker, so a cold start takes 2.5 to 28 seconds.

Artifacts are unpacked once per content into a directory that outlives the server
(`LOCAL_CLOUD_ARTIFACTS`) and every worker links to it. Python compiles what is imported on first use
and finds it compiled ever after.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from scripts.local_cloud.patches.seam import install

DIRECTORY_VARIABLE = "LOCAL_CLOUD_ARTIFACTS"
_lock = threading.Lock()


def apply() -> None:
    """Give the Lambda runtime a ZipFile that unpacks through the cache."""
    cached = SimpleNamespace(
        ZipFile=_CachedZip, BadZipFile=zipfile.BadZipFile, LargeFileError=zipfile.LargeZipFile
    )
    install(lambda_runtime, "zipfile", cached)


def content_key(archive: zipfile.ZipFile) -> str:
    """Name an archive by its members' names, checksums and sizes."""
    digest = hashlib.sha256()
    for member in archive.infolist():
        digest.update(f"{member.filename}\0{member.CRC}\0{member.file_size}\n".encode())
    return digest.hexdigest()[:32]


class _CachedZip(zipfile.ZipFile):
    """A ZipFile whose `extractall` replaces the empty target directory by a link to the unpacked content."""

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        cache = Path(os.environ.get(DIRECTORY_VARIABLE) or Path(tempfile.gettempdir()) / "lambda-artifacts")
        unpacked = cache / content_key(self)
        with _lock:
            if not unpacked.is_dir():
                cache.mkdir(parents=True, exist_ok=True)
                fresh = Path(tempfile.mkdtemp(dir=cache))
                super().extractall(fresh, members, pwd)
                _move_into_place(fresh, unpacked)
        target = Path(path)
        target.rmdir()
        target.symlink_to(unpacked)


def _move_into_place(fresh: Path, unpacked: Path) -> None:
    """Publish an unpacked directory; another server may have published the same content first."""
    try:
        fresh.rename(unpacked)
    except OSError:
        if not unpacked.is_dir():
            raise
        shutil.rmtree(fresh)
