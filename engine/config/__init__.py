"""Configuration: `tree` is what may be said, `values` how durations and secrets are written, `load` how a file becomes a tree."""

from engine.config.tree import Config

__all__ = ["Config"]
