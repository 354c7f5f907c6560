"""The two programs in C, compiled once for each content: Python would be slower than some of what it measures."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent


def cache() -> Path:
    """Where compiled programs and peers live; it may be thrown away at any time."""
    return Path(platformdirs.user_cache_dir("ccproxy-tray")) / "benchmarks"


def compiled(name: str) -> Path:
    """The program of this name. RuntimeError when there is no compiler."""
    source = HERE / f"{name}.c"
    content = b"".join(path.read_bytes() for path in (source, *sorted(HERE.glob("*.h"))))
    built = cache() / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"
    if built.exists():
        return built
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise RuntimeError("the benchmark needs a C compiler (cc) for its upstream and its load generator")
    built.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, "-O2", "-o", f"{built}.new", source], check=True)
    Path(f"{built}.new").rename(built)
    return built
