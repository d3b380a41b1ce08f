"""Speed and quality, measured beside a rival in the same run: `python -m benchmarks --list`.

Figures that matter are ratios: machines differ, and this one may be busy. Each benchmark prints one JSON line.
"""
