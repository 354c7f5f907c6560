# /// script
# requires-python = ">=3.11"
# dependencies = ["ccproxy-tray", "matplotlib>=3.9"]
# [tool.uv.sources]
# ccproxy-tray = { path = "..", editable = true }
# ///
"""Measures the program beside everything that it can be compared with. Linux only; needs a C compiler.

    uv run benchmarks/run.py [--quick] [--peers nginx,litellm,ccr,portkey] [--rows json-1k,life] [--rounds 5]

Peers are installed into the user's cache folder on the first use. Writes benchmarks/results/NAME.json, and with
--publish also benchmarks/results.md and its picture. Ends with 1 when a goal was missed, with 2 when none was missed
but some are inconclusive.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.yardstick import command

if __name__ == "__main__":
    sys.exit(command.main(__doc__ or ""))
