"""Drain3 over a file of log lines: `python drain3_miner.py plain|masked LINES OUT`.

Writes OUT as CSV, a row for each line: the number of its cluster as it was assigned, and the cluster's template as it stands at the end.
Prints one JSON line: lines, seconds of the whole loop, clusters, most resident memory in MB. `masked` has the masks that its own
examples recommend: addresses, hexadecimal and decimal numbers, UUIDs.
"""

import csv
import json
import logging
import re
import sys
import time
from pathlib import Path

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

ALONE = r"((?<=[^A-Za-z0-9])|^)(%s)((?=[^A-Za-z0-9])|$)"
MASKS = {
    "UUID": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "IP": r"\d{1,3}(?:\.\d{1,3}){3}",
    "SEQ": r"(?:[0-9a-f]{2,}:){3,}[0-9a-f]{2,}",
    "HEX": r"0x[a-fA-F0-9]+",
    "NUM": r"[\-\+]?\d+",
}


def main() -> None:
    logging.disable(logging.CRITICAL)
    masked, source, target = sys.argv[1] == "masked", sys.argv[2], sys.argv[3]
    lines = Path(source).read_bytes().decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    config = TemplateMinerConfig()
    if masked:
        config.masking_instructions = [MaskingInstruction(ALONE % pattern, name) for name, pattern in MASKS.items()]
    miner = TemplateMiner(config=config)
    began = time.process_time()
    assigned = [miner.add_log_message(line)["cluster_id"] for line in lines]
    seconds = time.process_time() - began
    template = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    with Path(target).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("template_id", "template"))
        writer.writerows((number, template.get(number, "")) for number in assigned)
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    print(json.dumps({"lines": len(lines), "seconds": seconds, "clusters": len(template), "peak_mb": int(peak[1]) // 1024}))


if __name__ == "__main__":
    main()
