"""Templates against the truth, by a scorer that is not ours: `python template_scores.py SCORER TRUTH PREDICTED [TRUTH PREDICTED …]`.

SCORER is a Python file with `evaluate(true ids, true templates, ids, templates, mode)`. TRUTH is a CSV file with the columns
event_id_corrected and template_corrected, or an array of template numbers (.npy: only groups are judged). Prints one JSON line: a list of its answers.
"""

import importlib.util
import json
import sys

import numpy as np
import pandas as pd


def main() -> None:
    spec = importlib.util.spec_from_file_location("scorer", sys.argv[1])
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    answers = []
    for truth, predicted in zip(sys.argv[2::2], sys.argv[3::2], strict=True):
        said = pd.read_csv(predicted, dtype=str, keep_default_na=False)
        if truth.endswith(".npy"):
            answer = scorer.grouping(np.load(truth)[: len(said)], said.template_id)
        else:
            right = pd.read_csv(truth, dtype=str)
            ids, templates = right.event_id_corrected, right.template_corrected
            answer = scorer.evaluate(ids, templates, said.template_id, said.template, "token")
        answers.append({key: round(float(answer[key]), 4) for key in ("GA", "FGA", "PA", "FTA") if key in answer})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
