"""Log sessions that went unlike the others: precision, recall and F1 at a score of 1.0, and how well scores rank in a stream with faults in it.

    python -m benchmarks sessions --data FOLDER [--seeds N]

FOLDER holds a folder for each set with files that end in `_train`, `_test_abnormal` and, where there is one, `_test_normal`: a session a line, its events
as numbers, after an id and a comma if it has one. The boundary is the daemon's as shipped. Its design was chosen on the
public sets of HDFS and OpenStack: there these are development figures. Three of them:

* `trained`: all of the train set is taken for usual, then nothing is learned. Without a set of usual sessions to test on, each tenth of the train set is tested
  after the other nine; false alarms are then scaled to `--normal` usual sessions, as many as the published figures are of.
* `stream`: usual and abnormal sessions shuffled together at the share of the whole set, nothing learned before; average precision of the scores, and F1.
* `made_up`: a shop's sessions with broken ones among them, for which no data is needed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine, spread
from detectors import session_model, sessions
from detectors.kernel import as_state
from detectors.session_distance import OPINION
from engine.config.logs import Logs

Session = tuple[int, ...]
PUBLISHED_NORMAL: dict[str, int] = {"hdfs": 553_366}
SHARE = {"hdfs": 0.0295}
"""Of abnormal sessions among all, where the files do not say."""
FOLDS = 10
SECOND_NS = 1_000_000_000


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures for every set. `quick` takes fewer streams."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sessions", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=2 if quick else 10)
    about = parser.parse_args(options)
    play_all(Stream(), [(1, 2, 3)] * 5)  # compiled before anything is timed
    figures: dict[str, object] = {"made_up": streamed(*made_up(2_000 if quick else 20_000), seeds=about.seeds, share=0.005)}
    for folder in sorted(path for path in about.data.iterdir() if path.is_dir()) if about.data else []:
        figures[folder.name] = of_set(folder, about.seeds)
    return {
        "sets": figures,
        "speed": speed(2_000 if quick else 20_000),
        "model_bytes": session_model.MODEL.itemsize,
        "machine": machine(),
    }


class Stream:
    """The sessions of one stream, as the daemon keeps them; one second each."""

    def __init__(self, teaching: int = sessions.AS_FOUND) -> None:
        shipped = Logs()
        self.params = sessions.Params(shipped.odd_share, shipped.sessions_min, teaching=teaching)
        self.models = as_state(np.zeros(1, session_model.MODEL))
        self._open, self._places = as_state(np.zeros(1, session_model.SESSION)), np.zeros(2, np.int64)
        self._room, self._ns = session_model.session_room(), 0

    def play(self, session: Session, out: NDArray[np.void]) -> None:
        self._ns += SECOND_NS
        n, counts = len(session), np.zeros(3, np.int64)
        self._places[:] = 0
        lines = np.full(n, 7, np.uint64), np.zeros(n, np.int64), np.array(session, np.int64), np.full(n, self._ns, np.int64)
        sessions.follow_lines(self._open, self._places, self.models, *lines, counts, np.empty(n, np.bool_))
        sessions.judge_sessions(self.models, self._open, np.zeros(1, np.int64), self.params, self._room, out)


def play_all(stream: Stream, played: Sequence[Session], teaching: int | None = None) -> NDArray[np.float64]:
    """The score of each session, 0 where there is no opinion."""
    if teaching is not None:
        stream.params = stream.params._replace(teaching=teaching)
    told = as_state(np.zeros(len(played), OPINION))
    for i, session in enumerate(played):
        stream.play(session, told[i : i + 1])
    scores: NDArray[np.float64] = np.nan_to_num(np.asarray(told["score"], np.float64))
    return scores


# ------------------------------------------------------------------------------------------------------ sets
def of_set(folder: Path, seeds: int) -> dict[str, object]:
    train, abnormal = read(folder, "_train"), read(folder, "_test_abnormal")
    normal = read(folder, "_test_normal")
    usual = [*train, *normal]
    share = SHARE.get(folder.name, len(abnormal) / (len(usual) + len(abnormal)))
    return {
        "sessions": {"train": len(train), "normal": len(normal), "abnormal": len(abnormal)},
        "trained": trained(train, normal, abnormal, PUBLISHED_NORMAL.get(folder.name, len(normal))),
        "stream": streamed(usual, abnormal, seeds, share),
    }


def read(folder: Path, ending: str) -> list[Session]:
    """The sessions of the file that ends so; none when there is no such file."""
    found = sorted(folder.glob(f"*{ending}"))
    lines = found[0].read_text().splitlines() if found else []
    return [tuple(map(int, line.rpartition(",")[2].split())) for line in lines if line.strip()]


def trained(train: list[Session], normal: list[Session], abnormal: list[Session], normal_count: int) -> dict[str, object]:
    """Train on what is usual, then test with nothing learned."""
    stream = Stream()
    play_all(stream, train, sessions.VOUCHED)
    caught = play_all(stream, abnormal, sessions.STILL)
    false = play_all(stream, normal, sessions.STILL) if normal else folded(train)
    scale = normal_count / max(len(false), 1)
    figures = at_boundary(caught, false, scale)
    wider = {f"F1 at {at}": at_boundary(caught / at, false / at, scale)["F1"] for at in (0.9, 1.1, 1.25)}
    return {**figures, "false alarms": int(np.count_nonzero(false >= 1.0)), "usual tested": len(false), **wider}


def folded(train: list[Session]) -> NDArray[np.float64]:
    """Scores of usual sessions that were not learned: each tenth after the other nine."""
    place = np.random.default_rng(1).permutation(len(train))
    scores = np.zeros(len(train))
    for fold in range(FOLDS):
        stream = Stream()
        play_all(stream, [train[i] for k in range(FOLDS) if k != fold for i in place[k::FOLDS]], sessions.VOUCHED)
        scores[place[fold::FOLDS]] = play_all(stream, [train[i] for i in place[fold::FOLDS]], sessions.STILL)
    return scores


def at_boundary(caught: NDArray[np.float64], false: NDArray[np.float64], scale: float) -> dict[str, float]:
    """Precision, recall and F1 of a score of 1.0."""
    right, wrong = int(np.count_nonzero(caught >= 1.0)), scale * int(np.count_nonzero(false >= 1.0))
    recall, precision = right / max(len(caught), 1), right / max(right + wrong, 1)
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "F1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
    }


def streamed(usual: list[Session], abnormal: list[Session], seeds: int, share: float = 0.03) -> dict[str, object]:
    """Shuffled together, score first, then learn; means over some shuffles."""
    ranked, judged = [], []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 7])
        count = min(round(len(usual) * share / (1.0 - share)), len(abnormal))
        mixed = [*usual, *(abnormal[i] for i in rng.choice(len(abnormal), count, replace=False))]
        place = rng.permutation(len(mixed))
        is_bad = place >= len(usual)
        scores = play_all(Stream(), [mixed[i] for i in place])
        ranked.append(average_precision(scores, is_bad))
        judged.append(at_boundary(scores[is_bad], scores[~is_bad], 1.0)["F1"])
    return {
        "average precision": spread(ranked),
        "F1": spread(judged),
        "mean AP": round(mean(ranked), 4),
        "mean F1": round(mean(judged), 4),
    }


def average_precision(scores: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> float:
    """The mean, over the bad ones, of the precision at their rank; equal scores in order of time."""
    bad = is_bad[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(bad) / np.arange(1, len(bad) + 1)
    return float((precision * bad).sum() / max(bad.sum(), 1))


# ------------------------------------------------------------------------------------------------------ made up
def made_up(count: int) -> tuple[list[Session], list[Session]]:
    """Orders of a shop: asked, items, sometimes a voucher or a retry, paid, sent; and broken ones of five kinds."""
    rng = np.random.default_rng(4)
    usual = [_order(rng) for _ in range(count)]
    broken = []
    for i in range(count // 10):
        order = list(_order(rng))
        if i % 5 == 0:
            del order[-2:]  # never paid, never sent
        elif i % 5 == 1:
            order.insert(len(order) - 1, 40 + i % 3)  # an exception
        elif i % 5 == 2:
            order += order[-1:] * 3  # sent four times
        elif i % 5 == 3:
            order.reverse()
        else:
            order[1:1] = [2] * 30  # items without end
        broken.append(tuple(order))
    return usual, broken


def _order(rng: np.random.Generator) -> Session:
    items, retries = int(rng.geometric(0.4)), int(rng.geometric(0.9)) - 1
    return (1, *[2] * min(items, 9), *([3] * (rng.random() < 0.3)), *[4] * min(retries, 3), 5, 6)


def speed(count: int) -> dict[str, float]:
    """Microseconds of processor time for a session of eight lines: to be followed, and to be judged; many at a time."""
    rng = np.random.default_rng(2)
    open_, places = as_state(np.zeros(count, session_model.SESSION)), np.zeros(4 * 1 << count.bit_length(), np.int64)
    models, room = as_state(np.zeros(1, session_model.MODEL)), session_model.session_room()
    key = np.repeat(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15), 8)
    event = rng.integers(0, 12, len(key))
    lines = key, np.zeros(len(key), np.int64), event, np.zeros(len(key), np.int64)
    began = time.thread_time()
    sessions.follow_lines(open_, places, models, *lines, np.zeros(3, np.int64), np.empty(len(key), np.bool_))
    followed = time.thread_time()
    told = as_state(np.zeros(count, OPINION))
    sessions.judge_sessions(models, open_, np.arange(count), sessions.Params(), room, told)
    judged = time.thread_time()
    return {"followed_us": round(1e6 * (followed - began) / count, 2), "judged_us": round(1e6 * (judged - followed) / count, 2)}
