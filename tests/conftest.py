"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)  # an example that compiles a kernel takes seconds, and no test asserts a time
settings.load_profile("patient")
