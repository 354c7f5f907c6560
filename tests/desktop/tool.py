from __future__ import annotations

import os
import shutil
import sys

import pytest


def needed(name: str) -> str:
    """The path of a program that a test needs. Only where nobody promised it may the test be left out."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI") and sys.platform == "linux":
        pytest.fail(f"{name} is not installed")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
