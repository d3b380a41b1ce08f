"""The log of a made-up company from a seed, with what goes wrong in it known by construction: for `logs`.

Six services write lines of some ten kinds each, at rates from one in half an hour to several a minute, on one daily wave with a load of its own. Each has a
scheduled job; two serve requests whose lines carry one key; one has a batch each night. What is harmless happens all the time: deploys that bring new lines,
restarts, lines that come once and never again, hours of a little more or less traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records import AnomalyKind as Kind

Floats = NDArray[np.float64]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


INFO, WARN, ERROR = 9, 13, 17
DAY: Final = 1440
"""Minutes, as all times here are."""
QUIET: Final = 2 * DAY
"""Nothing goes wrong before."""
SLOT: Final = 200
SERVICES: Final = ("cart", "billing", "search", "mail", "orders", "stock")
WITH_REQUESTS: Final = ("cart", "orders")
JOBS: Final = (5, 10, 15, 20, 30, 60)
VERBS: Final = _words("loaded stored fetched sent routed parsed indexed resized checked priced merged packed signed cached moved")
NOUNS: Final = _words(
    "product basket invoice picture voucher label article segment profile parcel message session price tariff shelf route batch"
)
PLACES: Final = _words("cache archive queue warehouse gateway ledger mirror bucket catalogue depot registry printer")
TROUBLES: Final = _words("refused rejected timed-out missing unreadable exhausted misaligned overdrawn unsigned truncated")
SLOTS: Final = (" for user {i}", " of {h}", " from {ip}", "", " key={h}", " after try {d}")
STEPS: Final = ("accepted", "reserved", "charged", "packed", "completed")


class Wrong(NamedTuple):
    """One thing that goes wrong: what must be told of one of the entities from `start` to `end`, and what may be told with it."""

    kind: Kind
    entities: tuple[str, ...]
    start: int
    end: int
    also: frozenset[Kind] = frozenset()


class Template:
    """Lines of one kind: `factor` scales its rate minute by minute, `slower` the number in it."""

    def __init__(self, service: str, level: int, text: str, a_minute: float, minutes: int, milliseconds: float = 40.0) -> None:
        self.service, self.level, self.text, self.a_minute = service, level, text, a_minute
        self.milliseconds = milliseconds
        self.factor = np.ones(minutes)
        self.slower = np.ones(minutes)

    def only(self, start: int, end: int) -> Template:
        """The same, written within these minutes only."""
        self.factor[:start] = self.factor[end:] = 0.0
        return self


Line = tuple[float, str, int, str]
"""(seconds since the beginning, service, severity, text)."""


class Company:
    """Everything from one seed. `lines` may be taken once."""

    def __init__(self, seed: int, each: int) -> None:
        """`each`: how often each kind of trouble happens."""
        self.rng = np.random.default_rng([seed, 23])
        self.minutes = QUIET + (len(TROUBLE) * each + 1) * SLOT
        self.templates: list[Template] = []
        self.once: list[tuple[int, str, int, str]] = []
        self.jobs: dict[str, tuple[int, str]] = {}
        self.job_off = {service: np.zeros(self.minutes, np.bool_) for service in SERVICES}
        self.down = {service: np.zeros(self.minutes, np.bool_) for service in SERVICES}
        self.broken: dict[str, Floats] = {service: np.zeros(self.minutes) for service in WITH_REQUESTS}
        self.broken_how = dict.fromkeys(WITH_REQUESTS, 0)
        self.load = {service: self._load() for service in SERVICES}
        self._words: set[str] = set()
        for service in SERVICES:
            self._settle(service)
        self._harmless()
        kinds = [kind for kind in TROUBLE for _ in range(each)]
        self.rng.shuffle(kinds)
        self.wrongs = [TROUBLE[kind](self, QUIET + n * SLOT + int(self.rng.integers(0, 60))) for n, kind in enumerate(kinds)]

    # ------------------------------------------------------------------------------------------ what is usual
    def _load(self) -> Floats:
        at = np.arange(self.minutes)
        wave = 1.0 + self.rng.uniform(0.2, 0.6) * np.cos((at / DAY - 20 / 24) * 2.0 * np.pi)
        wander = np.repeat(self.rng.normal(0.0, 0.06, self.minutes // 30 + 1), 30)[: self.minutes]
        return np.asarray(wave * np.exp(np.convolve(wander, np.full(30, 1 / 30), "same")))

    def words(self, level: int, *, number: bool = False) -> str:
        """A text that no other template has."""
        rng = self.rng
        while True:
            trouble = f" {rng.choice(TROUBLES)}" if level > INFO else ""
            text = f"{rng.choice(VERBS) if not trouble else 'cannot'} {rng.choice(NOUNS)} {rng.choice(PLACES)}{trouble}"
            if text not in self._words:
                self._words.add(text)
                return text + str(rng.choice(SLOTS)) + (" in {n} ms" if number else "")

    def add(self, service: str, level: int, a_minute: float, *, number: bool = False, text: str = "") -> Template:
        text = text or self.words(level, number=number)
        scale = float(np.exp(self.rng.uniform(1.5, 6.0)))
        self.templates.append(Template(service, level, text, a_minute, self.minutes, scale))
        return self.templates[-1]

    def _settle(self, service: str) -> None:
        rng = self.rng
        self.add(service, INFO, rng.uniform(8.0, 14.0))
        for _ in range(6):
            self.add(service, INFO, float(np.exp(rng.uniform(-3.0, 1.5))), number=bool(rng.random() < 0.5))
        self.add(service, INFO, rng.uniform(1.0, 3.0), number=True)
        for level, low, high in ((WARN, -2.0, 0.5), (WARN, -4.0, -1.0), (ERROR, -4.0, -1.0), (ERROR, -5.0, -2.0)):
            self.add(service, level, float(np.exp(rng.uniform(low, high))))
        self.jobs[service] = (int(rng.choice(JOBS)), f"job {rng.choice(NOUNS)} of {rng.choice(PLACES)} finished: {{i}} entries")

    def _harmless(self) -> None:
        """Deploys, restarts, a batch each night, lines that come once."""
        rng = self.rng
        for service in SERVICES:
            for at in rng.integers(DAY // 2, self.minutes, max(self.minutes // (2 * DAY), 1)).tolist():
                self.add(service, INFO, 1.0, text="version {d} started in {n} ms").only(at, at + 1)
                for _ in range(int(rng.integers(1, 4))):
                    self.add(service, INFO, float(np.exp(rng.uniform(-3.0, 0.7)))).only(at, self.minutes)
            for at in rng.integers(DAY // 4, self.minutes, max(self.minutes // DAY, 1)).tolist():
                self.down[service][at : at + int(rng.integers(1, 3))] = True
            for at in rng.integers(DAY // 4, self.minutes, max(self.minutes // (DAY // 3), 1)).tolist():
                level = WARN if rng.random() < 0.4 else INFO
                self.once.append((int(at), service, level, self.words(level)))
        batch = self.add(str(rng.choice(SERVICES)), INFO, 25.0, text="copied partition {i} in {n} ms")
        at = np.arange(self.minutes) % DAY
        batch.factor[(at < 120) | (at >= 140)] = 0.0

    # ------------------------------------------------------------------------------------------ lines
    def lines(self) -> Iterator[list[Line]]:
        """The lines of each minute, in order of time."""
        minutes: list[list[Line]] = [[] for _ in range(self.minutes)]
        for template in self.templates:
            self._write(template, minutes)
        for at, service, level, text in self.once:
            minutes[at].append((60.0 * at + 30.0, service, level, text.format(i=1234, d=3, h="0ddba11", ip="10.1.2.7")))
        for service, (every, text) in self.jobs.items():
            for at in range(every, self.minutes, every):
                if not self.job_off[service][at]:
                    second = 60.0 * at + self.rng.uniform(0.0, 4.0)
                    minutes[at].append((second, service, INFO, text.format(i=int(self.rng.integers(100, 9000)))))
        for service in WITH_REQUESTS:
            self._requests(service, minutes)
        for minute in minutes:
            minute.sort()
            yield minute
            minute.clear()

    def _write(self, template: Template, minutes: list[list[Line]]) -> None:
        rng = self.rng
        up = template.factor * self.load[template.service] * ~self.down[template.service]
        counts = rng.poisson(template.a_minute * up)
        for at in np.flatnonzero(counts).tolist():
            for second, draw, many in rng.random((int(counts[at]), 3)).tolist():
                n = template.milliseconds * template.slower[at] * -np.log((draw + 1e-9) * (many + 1e-9)) / 2.0
                words = template.text.format(
                    n=int(n) + 1,
                    i=int(100 + 90_000 * draw),
                    d=int(1 + 9 * many),
                    h=f"{int(draw * 2**32):08x}",
                    ip=f"10.{int(draw * 200)}.{int(many * 200)}.7",
                )
                minutes[at].append((60.0 * (at + second), template.service, template.level, words))

    def _requests(self, service: str, minutes: list[list[Line]]) -> None:
        rng = self.rng
        counts = rng.poisson(2.5 * self.load[service] * ~self.down[service])
        for at in np.flatnonzero(counts).tolist():
            for begun in rng.random(int(counts[at])).tolist():
                steps = list(STEPS)
                if rng.random() < 0.2:
                    steps.insert(1, "applied voucher of")
                if rng.random() < self.broken[service][at]:
                    steps = _BREAK[self.broken_how[service]](steps)
                key = f"req-{int(rng.integers(2**40)):010x}"
                for k, step in enumerate(steps):
                    second = 60.0 * (at + begun) + 1.7 * k
                    if second < 60.0 * self.minutes:
                        minutes[int(second // 60)].append((second, service, INFO, f"{key} {step} order"))


_BREAK: Final[tuple[Callable[[list[str]], list[str]], ...]] = (
    lambda steps: steps[:-2],
    lambda steps: [steps[0], *steps[3:], *steps[1:3]],
    lambda steps: [*steps[:2], *[steps[2]] * 5, *steps[3:]],
)


# ------------------------------------------------------------------------------------------------------ what goes wrong
def _of(company: Company, service: str, level: int, least: float, most: float = 1e9) -> Template:
    """A template of the service that has been there from the beginning, with such a rate."""
    fitting = [
        t
        for t in company.templates
        if t.service == service and t.level == level and least <= t.a_minute <= most and t.factor[0] > 0.0 and t.factor[-1] > 0.0
    ]
    return fitting[int(company.rng.integers(len(fitting)))] if fitting else company.add(service, level, max(least, 0.3))


def _place(company: Company) -> tuple[str, int]:
    """A service, and how long."""
    return str(company.rng.choice(SERVICES)), int(company.rng.integers(20, 45))


_MIX = frozenset({Kind.RATE_UP, Kind.SEVERITY_MIX})


def _new(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    level = ERROR if company.rng.random() < 0.7 else WARN
    company.add(service, level, company.rng.uniform(0.5, 3.0)).only(at, at + lasts)
    return Wrong(Kind.NEW_TEMPLATE, (service,), at, at + lasts, _MIX)


def _back(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    template = company.add(service, ERROR, company.rng.uniform(0.5, 3.0))
    first = int(company.rng.integers(DAY // 4, DAY))
    template.factor[:] = 0.0
    template.factor[first : first + 5] = template.factor[at : at + lasts] = 1.0
    return Wrong(Kind.RARE_TEMPLATE, (service,), at, at + lasts, _MIX)


def _up(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    level = INFO if company.rng.random() < 0.5 else WARN
    template = _of(company, service, level, 0.3, 6.0)
    template.factor[at : at + lasts] *= company.rng.uniform(5.0, 10.0)
    return Wrong(Kind.RATE_UP, (service,), at, at + lasts, frozenset({Kind.SEVERITY_MIX}))


def _down(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    _of(company, service, INFO, 8.0).factor[at : at + lasts] *= company.rng.uniform(0.08, 0.25)
    return Wrong(Kind.RATE_DOWN, (service,), at, at + lasts, frozenset({Kind.SEVERITY_MIX, Kind.STOPPED}))


def _stopped(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    if company.rng.random() < 0.3:
        _of(company, service, INFO, 8.0).factor[at : at + lasts] = 0.0
    else:
        lasts = max(3 * company.jobs[service][0], 30)
        company.job_off[service][at : at + lasts] = True
    return Wrong(Kind.STOPPED, (service,), at, at + lasts, frozenset({Kind.SEVERITY_MIX, Kind.RATE_DOWN}))


def _mix(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    for template in company.templates:
        if template.service == service and template.level == INFO:
            template.factor[at : at + lasts] *= 0.5
    _of(company, service, WARN, 0.1).factor[at : at + lasts] *= 2.0
    more = company.rng.uniform(3.0, 6.0)
    troubled = _of(company, service, WARN, 0.1)
    troubled.factor[at : at + lasts] *= 1.0 + more / troubled.a_minute
    return Wrong(Kind.SEVERITY_MIX, (service,), at, at + lasts, frozenset({Kind.RATE_UP, Kind.RATE_DOWN}))


def _slow(company: Company, at: int) -> Wrong:
    service, lasts = _place(company)
    fitting = [
        t for t in company.templates if t.service == service and "{n} ms" in t.text and 0.5 <= t.a_minute <= 8 and t.factor[0] > 0
    ]
    fitting[int(company.rng.integers(len(fitting)))].slower[at : at + lasts] = company.rng.uniform(3.0, 8.0)
    return Wrong(Kind.LINE_VALUE, (service,), at, at + lasts)


def _odd(company: Company, at: int) -> Wrong:
    service, lasts = str(company.rng.choice(WITH_REQUESTS)), int(company.rng.integers(30, 60))
    how = company.broken_how[service] = int(company.rng.integers(len(_BREAK)))
    company.broken[service][at : at + lasts] = company.rng.uniform(0.5, 1.0)
    also = (Kind.RATE_DOWN, Kind.STOPPED, Kind.SEVERITY_MIX) if how == 0 else (Kind.RATE_UP,)
    return Wrong(Kind.BROKEN_SEQUENCE, (service,), at, at + lasts, frozenset(also))


def _burst(company: Company, at: int) -> Wrong:
    lasts = int(company.rng.integers(10, 20))
    services = tuple(company.rng.choice(SERVICES, 4, replace=False).tolist())
    for service in services:
        template = _of(company, service, ERROR, 0.0)
        template.factor[at : at + lasts] *= company.rng.uniform(6.0, 15.0) / template.a_minute
    return Wrong(Kind.ERROR_BURST, services, at, at + lasts, _MIX | {Kind.RARE_TEMPLATE})


TROUBLE: Final[dict[Kind, Callable[[Company, int], Wrong]]] = {
    Kind.NEW_TEMPLATE: _new,
    Kind.RARE_TEMPLATE: _back,
    Kind.RATE_UP: _up,
    Kind.RATE_DOWN: _down,
    Kind.STOPPED: _stopped,
    Kind.SEVERITY_MIX: _mix,
    Kind.LINE_VALUE: _slow,
    Kind.BROKEN_SEQUENCE: _odd,
    Kind.ERROR_BURST: _burst,
}
"""Kind → what gives it."""
