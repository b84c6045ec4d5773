"""An interpreter for handlers that sees what the Lambda runtime has and nothing else.

That is the standard library and boto3. Without it a package missing from the dependency layer would be
found in the developer's virtual environment.
"""

import shlex
import sys
import sysconfig
from pathlib import Path

RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


def make_runtime_python(directory: Path) -> Path:
    """Write the interpreter into `directory` and return its path.

    It runs this Python without site-packages (`-S`) and with links to the runtime's packages on its path.

    Raises:
        FileNotFoundError: a package of the runtime is not installed beside this Python.
    """
    packages = directory / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    installed = Path(sysconfig.get_path("purelib"))
    for name in RUNTIME_PACKAGES:
        source, link = installed / name, packages / name
        if not source.exists():
            raise FileNotFoundError(f"{name} is part of the Lambda runtime but not installed in {installed}")
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    interpreter = directory / "python"
    interpreter.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(packages))} exec {shlex.quote(sys.executable)} -S "$@"\n'
    )
    interpreter.chmod(0o755)
    return interpreter
