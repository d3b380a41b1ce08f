"""The life of incidents: candidate → open → resolved → closed, with joins, merges, suppression and timers in event time.

alert ──▶ place: the incident it belongs to (grouping) or a new candidate
candidate ──open_after and enough evidence──▶ open ──all healthy──▶ resolved ──close_after──▶ closed
    └── everything suppressed ──▶ suppressed ──still firing at the end──▶ open
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush

from engine.config.tree import Correlate
from engine.correlate.enough import CROWD, LASTING_WINDOWS, Setting, brings_load, is_enough, is_known
from engine.correlate.evidence import Evidence
from engine.correlate.facts import Facts
from engine.correlate.fading import FADE, Fading
from engine.correlate.grouping import Cluster, Onset, candidates, to_merge
from engine.correlate.growth import Growth
from engine.correlate.inhibit import Inhibition
from engine.correlate.looks import Looks
from engine.correlate.places import OVER, TOLD, Places
from engine.correlate.spread import Spread
from engine.correlate.state import CorrelateState, LiveIncident, MemberState, Route, member_from
from engine.correlate.topology import Topology
from engine.correlate.twins import Twins
from engine.correlate.unions import Hands, Unions
from engine.correlate.withheld import judged_again
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import LASTING, Alert, AlertState, AnomalyKind, Change, IncidentState, digest

ALERTS_MAX = 200_000
LEASE_NS = 3_600 * 1_000_000_000
"""An alert of which nothing was heard for this long is over: its detector is gone or has forgotten it."""
_SWEEP_NS = 600 * 1_000_000_000
_SWEEP = ""
_NS = 1_000_000_000


class Book:
    """All live incidents of one shard. Every method moves `state` and nothing else."""

    def __init__(
        self, state: CorrelateState, config: Correlate, topology: Topology, speak: Callable[[LiveIncident], None]
    ) -> None:
        self.state = state
        self.config = config
        self.topology = topology
        self.stats = StepStats()
        self.evidence = Evidence(state, config, topology)
        self.twins = Twins(state.past, config)
        self.edges = Fading(state, topology)
        self.timers: dict[str, Callable[[int], None]] = {  # what else is due, by its key in the heap
            _SWEEP: self._expire,
            FADE: self.edges.fade,
        }
        self.facts = Facts()
        self._places = Places(state)
        self._spread = Spread(state, config, topology, self._places)
        self.unions = Unions(state, config, self._places, self.evidence, Hands(self._drop, self._set_state, self.tell))
        self._looks = Looks(state, self.timers)
        self._inhibition = Inhibition(state, config, topology, self._places)
        self._growth = Growth(state, speak)

    def _drop(self, incident: LiveIncident) -> None:
        self._inhibition.release(incident)
        self.state.incidents.pop(incident.id, None)
        self._places.drop(incident)
        self._looks.forget(incident.id)
        self.facts.forget(incident.id)

    # ------------------------------------------------------------------------------------------------ time
    def advance(self, ts_ns: int) -> None:
        """Let event time pass: everything due by `ts_ns` happens, in order."""
        while (due := self._looks.pop(ts_ns)) is not None:
            at, key = due
            self.state.now_ns = max(self.state.now_ns, at)
            if key in self.timers:
                self.timers[key](at)
                continue
            incident = self.state.incidents.get(key)
            if incident is not None:
                self.review(incident)
        self.state.now_ns = max(self.state.now_ns, ts_ns)

    # ------------------------------------------------------------------------------------------------ alerts
    def alert(self, alert: Alert) -> None:
        """Take one message of an alert's life."""
        route = self.state.routes.get(alert.id)
        if route is not None:
            self._update(alert, route)
        elif alert.state is AlertState.FIRING:
            self._welcome(alert)

    def _welcome(self, alert: Alert) -> None:
        """A new alert joins the incident it belongs to, or begins one."""
        onset = Onset(
            alert.entity, alert.onset_ts_ns, alert.step_seconds, alert.domain, alert.fingerprint, alert.kind is AnomalyKind.GAP
        )
        incident, because, onset = self._place(onset, alert)
        if incident is None:
            incident, because = self._begin(alert, onset), "first"
        self._join(incident, alert, onset, because)
        self._find_older_part(incident, onset)

    def _find_older_part(self, incident: LiveIncident, onset: Onset) -> None:
        """What began with the next samples of an older incident is one with it."""
        for older in self._places.incidents(onset.entity, onset.domain):
            if older is not incident and incident.cluster.is_more_of(older.cluster, onset.step_seconds, self.config.window):
                self.unions.merge(incident, older, f"the next samples of {onset.entity} and others show more of it")
                return

    def _place(self, onset: Onset, alert: Alert) -> tuple[LiveIncident | None, str, Onset]:
        """The incident, why, and the onset by which the alert counts there: what is drawn in by what burns makes no incident older."""
        live = self.state.incidents
        again = self._spread.same_trouble(alert)
        if again is not None:
            return *again, onset.not_before(again[0].cluster)
        recent = ((key, live[key].cluster) for key in reversed(live) if live[key].state not in OVER)
        placed = candidates(onset, recent, self.topology, self.config.window)
        if not placed:
            burning, why = self._spread.burning_neighbour(alert)
            return burning, why, onset.not_before(burning.cluster) if burning else onset
        incident = live[placed[0].key]
        for key in to_merge(placed):
            if key in live:
                because = f"{alert.name} of {alert.entity} belongs to both: {placed[0].tie.because}"
                incident = self.unions.merge(incident, live[key], because)
        return incident, placed[0].tie.because, onset

    def _begin(self, alert: Alert, onset: Onset) -> LiveIncident:
        if len(self.state.incidents) >= self.config.incidents_max:
            self._make_room()
        incident = LiveIncident(
            id=digest(alert.domain, alert.id),
            domain=alert.domain,
            tenant=alert.tenant,
            cluster=Cluster(alert.domain, alert.onset_ts_ns, alert.onset_ts_ns, silent=onset.silent),
            created_ns=max(self.state.now_ns, alert.ts_ns),
            started_ns=alert.onset_ts_ns,
        )
        self.state.incidents[incident.id] = incident
        self._looks.exactly(incident.id, incident.created_ns + int(self.config.open_after * _NS))
        self._looks.exactly(incident.id, incident.created_ns + int(LASTING_WINDOWS * self.config.window * _NS))
        return incident

    def _make_room(self) -> None:
        """Forget the least recently active incident, a candidate if there is one. Counted: it means that a limit is too low."""
        self.stats.count(Metric.LIMITS_REACHED, 1, "incidents_max")
        untold = (k for k, i in self.state.incidents.items() if i.state is IncidentState.CANDIDATE)
        self._drop(self.state.incidents[next(untold, next(iter(self.state.incidents)))])

    def _join(self, incident: LiveIncident, alert: Alert, onset: Onset, because: str) -> None:
        self.state.incidents[incident.id] = self.state.incidents.pop(incident.id)
        is_news = alert.entity not in incident.cluster.entities
        started_ns = incident.started_ns
        incident.cluster.add(onset)
        self._places.join(incident, alert.entity)
        incident.alerts_total += 1
        if alert.onset_ts_ns >= incident.started_ns - int(self.config.window * _NS):  # older trouble that joins late began apart
            incident.started_ns = min(incident.started_ns, alert.onset_ts_ns)
        verdict = self.state.suppression.verdict(alert)
        if len(incident.members) < self.config.members_max:
            member = member_from(alert, because)
            if verdict is not None:
                member.suppressed, member.suppressed_until_ns = verdict.reason, verdict.until_ns
                if verdict.until_ns:
                    self._looks.exactly(incident.id, verdict.until_ns)
            incident.members[alert.id] = member
            self._places.join(incident, alert.entity, alert.id)
        if len(self.state.routes) >= ALERTS_MAX:
            self.stats.count(Metric.LIMITS_REACHED, 1, "alerts_tracked")
        else:
            self.state.routes[alert.id] = Route(incident.id, AlertState.FIRING, alert.ts_ns)
            incident.firing += 1
            if brings_load(alert):
                self._places.more_load(alert.id, alert.domain, alert.entity)
            if not self.state.sweep_ns:
                self._sweep_at(self.state.now_ns + _SWEEP_NS)
        incident.suppressed += verdict is not None
        if verdict is None:
            incident.severity = max(incident.severity, alert.severity)
        if incident.started_ns != started_ns:
            self.evidence.gather(incident)
        elif is_news:
            self.evidence.gather_on(incident, alert.entity)
        if incident.state is IncidentState.RESOLVED and verdict is None:
            self._set_state(incident, IncidentState.OPEN, "reopened: " + because)
        elif incident.state in TOLD:
            self.tell(incident, "alert_joined")
        self.review(incident)

    def _update(self, alert: Alert, route: Route) -> None:
        incident = self.state.find(route.incident)
        route.seen_ns = max(route.seen_ns, alert.ts_ns)
        if alert.state is AlertState.RESOLVED:
            self._places.load_is_over(alert.id)
            self.state.unroute(alert.id)
        if incident is None:
            return
        member = incident.members.get(alert.id)
        if member is not None:
            member.state = alert.state
            member.seen_ns = max(member.seen_ns, alert.seen_ts_ns)
            member.once = member.once and alert.reason != LASTING
            member.ended_ns = alert.ts_ns if alert.state is AlertState.RESOLVED else 0
            member.text = alert.text or member.text
            if alert.peak_score > member.score:
                member.score, member.value, member.expected = alert.peak_score, alert.value, alert.expected
                member.deviation = alert.deviation
        if member is None or not member.suppressed:
            incident.severity = max(incident.severity, alert.severity)
        if alert.state is not route.state:
            incident.recount(route.state, alert.state)
            route.state = alert.state
            if incident.state in TOLD:
                self.tell(incident, "recovering" if alert.state is AlertState.RESOLVED else f"alert_{alert.state}")
        self.review(incident)

    # ------------------------------------------------------------------------------------------------ life
    def review(self, incident: LiveIncident) -> None:
        """Hold an incident against the present: does it open, resolve, close, or is it forgotten?"""
        now = self.state.now_ns
        if incident.state in (IncidentState.CANDIDATE, IncidentState.SUPPRESSED):
            self._review_untold(incident, now)
        elif incident.state in TOLD and incident.firing == 0 and incident.unknown == 0:
            incident.resolved_ns = now
            self._set_state(incident, IncidentState.RESOLVED, "recovered")
            self._looks.latest(incident.id, now + int(self.config.close_after * _NS))
        elif incident.state is IncidentState.RESOLVED:
            self._review_resolved(incident, now)

    def _review_resolved(self, incident: LiveIncident, now: int) -> None:
        end = incident.resolved_ns + int(self.config.close_after * _NS)
        if now >= end:
            self._set_state(incident, IncidentState.CLOSED, "quiet")
        else:
            self._looks.latest(incident.id, end)

    def _review_untold(self, incident: LiveIncident, now: int) -> None:
        if incident.firing == 0 and incident.unknown == 0:
            end = incident.cluster.last_ns + int(self.config.close_after * _NS)
            if now < end:
                self._looks.latest(incident.id, end)
            elif incident.opened_ns:  # people knew of it before they silenced it
                self._set_state(incident, IncidentState.CLOSED, "quiet")
            else:
                self._drop(incident)
            return
        is_due = now >= incident.created_ns + int(self.config.open_after * _NS)
        if not is_due and len(incident.members) >= CROWD:
            return
        self._lift(incident, now)
        setting = self._setting(incident.domain)
        if is_due and (is_enough(incident, setting) or is_known(incident)):
            phase = self.twins.phase(incident, now)
            if phase is None:
                if not self._joins_elder(incident) and not self._is_inhibited(incident, now):
                    self._open(incident, now)
            elif incident.state is IncidentState.CANDIDATE:
                self._set_state(incident, IncidentState.SUPPRESSED, phase.reason)
                self._looks.exactly(incident.id, phase.until_ns)
        elif is_due and incident.suppressed >= incident.alerts_total and incident.state is IncidentState.CANDIDATE:
            reason = next((m.suppressed for m in incident.members.values() if m.suppressed), "suppressed")
            self._set_state(incident, IncidentState.SUPPRESSED, reason)
        else:
            other = self._spread.supporter(incident, setting)
            kept = self.unions.merge(incident, other, "what is felt next to each other and goes on") if other else incident
            if other and (kept is other or other.id not in self.state.incidents):
                self._review_untold(kept, now)

    def _joins_elder(self, incident: LiveIncident) -> bool:
        """Whether what would be told now is part of what people know already."""
        elder, why = self._spread.elder(incident)
        return elder is not None and self.unions.merge(incident, elder, why) is elder

    def _is_inhibited(self, incident: LiveIncident, now: int) -> bool:
        """Whether it is held back, by what people know already. It is looked at again each window, and when that is over."""
        found = self._inhibition.inhibitor(incident)
        if self._inhibition.at_limit:
            self.stats.count(Metric.LIMITS_REACHED, self._inhibition.at_limit, "inhibit_max")
            self._inhibition.at_limit = 0
        if found is None:
            self._inhibition.release(incident)
            return False
        self._looks.latest(incident.id, now + int(self.config.window * _NS))
        if self._inhibition.hold(incident, found.incident):
            self._set_state(incident, IncidentState.SUPPRESSED, found.reason)
            self.tell(found.incident, f"holds back {incident.id[:8]}")
        return True

    def _lift(self, incident: LiveIncident, now: int) -> None:
        """Suppression that has ended is over for what still fires."""
        for member in incident.members.values():
            if member.suppressed and 0 < member.suppressed_until_ns <= now:
                member.suppressed = ""
                incident.suppressed -= 1
                incident.severity = max(incident.severity, member.severity)

    def reconsider(self, is_meant: Callable[[MemberState], bool]) -> None:
        """Silences or windows have changed: hold the live alerts that are meant against those in force."""
        for incident in list(self.state.incidents.values()):
            if incident.state is IncidentState.RESOLVED:
                continue
            found = judged_again(incident, is_meant, self.state.suppression, self.state.now_ns)
            for at_ns in found.ends_ns:
                self._looks.exactly(incident.id, at_ns)
            if found.has_changed:
                self._review_held(incident)

    def _review_held(self, incident: LiveIncident) -> None:
        """What people know of and want to hear no more of is told to be so, once; anything else is looked at as it stands."""
        held = [m for m in incident.members.values() if m.state is not AlertState.RESOLVED and m.suppressed]
        if incident.state in TOLD and held and len(held) >= incident.firing + incident.unknown:
            self._set_state(incident, IncidentState.SUPPRESSED, held[0].suppressed)
        else:
            self.review(incident)

    def _setting(self, domain: str) -> Setting:
        now_ns, watched = self.state.now_ns, self.state.reorder.watched(self.state.now_ns)
        return Setting(self.config, self.topology, self._places.busy(domain), now_ns, watched)

    def _open(self, incident: LiveIncident, now: int) -> None:
        was = incident.state
        is_news = not incident.opened_ns
        incident.opened_ns = incident.opened_ns or now
        reason = "opened" if was is IncidentState.CANDIDATE else "still firing after " + (incident.reason or "suppression")
        self._set_state(incident, IncidentState.OPEN, reason)
        if is_news:
            self.stats.count(Metric.INCIDENT_DELAY, max(0.0, (now - incident.started_ns) / _NS))

    def _set_state(self, incident: LiveIncident, state: IncidentState, reason: str) -> None:
        incident.state = state
        if state is IncidentState.OPEN:
            incident.resolved_ns = 0
        incident.reason = reason
        self.stats.count(Metric.INCIDENTS, 1, str(state))
        self._growth.publish(incident)
        if state not in TOLD:
            for held in self._inhibition.held_by(incident):
                self._looks.exactly(held, self.state.now_ns)
        if state in OVER:
            self._drop(incident)

    def set_state(self, incident: LiveIncident, state: IncidentState, reason: str) -> None:
        """A change of state that a person asked for."""
        if state is IncidentState.RESOLVED:
            incident.resolved_ns = self.state.now_ns
            self._looks.latest(incident.id, self.state.now_ns + int(self.config.close_after * _NS))
        self._set_state(incident, state, reason)

    def tell(self, incident: LiveIncident, reason: str) -> None:
        """Growth is told soon, not at once."""
        self._growth.note(incident, reason)

    def tell_growth(self, *, hurry: bool = False) -> None:
        """After each record; in a hurry all and now."""
        self._growth.tell(hurry=hurry)

    def held_back(self, incident: LiveIncident) -> list[str]:
        """The incidents that this one holds back."""
        return self._inhibition.held_by(incident)

    # ------------------------------------------------------------------------------------------------ events
    def event(self, change: Change) -> None:
        """Remember an event that may be evidence, and let the incidents it touches know."""
        if not self.evidence.remember(change):
            return
        for incident in self._places.incidents_on(self.evidence.concerned(change), change.domain):
            if incident.state is not IncidentState.RESOLVED and self.evidence.attach(change, incident):
                if incident.state in TOLD:
                    self.tell(incident, f"event {change.name}")
                self.review(incident)

    # ------------------------------------------------------------------------------------------------ leases
    def _sweep_at(self, at_ns: int) -> None:
        self.state.sweep_ns = at_ns
        heappush(self.state.due, (at_ns, _SWEEP))

    def _expire(self, _: int) -> None:
        """Alerts of which nothing was heard for a lease are over (their detector died or was changed)."""
        limit = self.state.now_ns - LEASE_NS
        for key in [key for key, route in self.state.routes.items() if route.seen_ns < limit]:
            self._places.load_is_over(key)
            route = self.state.unroute(key)
            incident = self.state.find(route.incident)
            if incident is None:
                continue
            incident.recount(route.state, AlertState.RESOLVED)
            if key in incident.members:
                incident.members[key].state, incident.members[key].ended_ns = AlertState.RESOLVED, self.state.now_ns
            if incident.state in TOLD:
                self.tell(incident, "stale")
            self.review(incident)
        self.state.sweep_ns = 0
        if self.state.routes:
            oldest = min(route.seen_ns for route in self.state.routes.values())
            self._sweep_at(max(self.state.now_ns + _SWEEP_NS, oldest + LEASE_NS + 1))
