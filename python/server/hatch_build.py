"""Puts the binary that VECTORLINK_BINARY names into the wheel, which is then of the platform VECTORLINK_PLATFORM."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The binary is static, so that it needs nothing of the platform but its kernel.
TAGS = {
    "linux/amd64": "manylinux_2_17_x86_64.musllinux_1_1_x86_64",
    "linux/arm64": "manylinux_2_17_aarch64.musllinux_1_1_aarch64",
    "darwin/amd64": "macosx_12_0_x86_64",
    "darwin/arm64": "macosx_12_0_arm64",
    "windows/amd64": "win_amd64",
}


class BinaryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Is the step of the build that adds the binary."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the binary as a script, which pip puts on PATH. Other than a wheel of a platform none is built."""
        if version == "editable":
            return
        platform = os.environ.get("VECTORLINK_PLATFORM", "linux/amd64")
        binary = Path(os.environ.get("VECTORLINK_BINARY", ""))
        if platform not in TAGS or not binary.is_file():
            raise ValueError(f"VECTORLINK_BINARY names no file, or VECTORLINK_PLATFORM none of {', '.join(TAGS)}")
        name = "vectorlink.exe" if platform.startswith("windows/") else "vectorlink"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TAGS[platform]}"
        build_data["shared_scripts"][str(binary)] = name
