"""`foreshock doctor`: from some records of a topic to the source block that reads them, and to what would go wrong.

    sample ──▶ trial (every block is tried) ──▶ ledger (what came out, series by series) ──▶ identity, findings ──▶ proposal

Pure: records in, a `Diagnosis` out. Nothing here reads a topic or knows a codec; both are handed in.
"""
