"""What every test shares: hypothesis without timing, since no test judges speed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wavecrew", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("wavecrew")
