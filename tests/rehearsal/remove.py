"""Removes a rehearsal that KEEP=1 has left running.

python -m rehearsal.remove FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from rehearsal.world import Unusable, World

if __name__ == "__main__":
    try:
        World.reuse(Path(sys.argv[1])).remove()
    except Unusable as reason:
        sys.exit(f"error: {reason}")
