"""One topic-partition as one deterministic machine: its life, its snapshots, its commits."""
