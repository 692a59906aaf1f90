"""Makes the application's package importable without installing it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "app_src/api/src"))
