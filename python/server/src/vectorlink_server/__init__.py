"""Where the binary of vectorlink is that this package installed."""

from __future__ import annotations

import sysconfig
from pathlib import Path


def binary() -> Path:
    """Returns the path of the binary. Raises ImportError where it was not installed."""
    here = Path(__file__).resolve()
    schemes = [None, *(s for s in sysconfig.get_scheme_names() if s.endswith("user"))]
    for scheme in schemes:
        scripts = Path(sysconfig.get_path("scripts", scheme) if scheme else sysconfig.get_path("scripts"))
        for name in ("vectorlink", "vectorlink.exe"):
            if (scripts / name).is_file():
                return scripts / name
    raise ImportError(f"the binary of {here.parent.name} is not there: install its wheel again")
