"""The stand-in model of the tests beside it can be imported, by the processes of the check too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
