"""What came of one scenario that was played once, and what of it is not as it must be."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubemend.lab.scenarios import Cast


@dataclass
class Outcome:
    """One scenario played once."""

    cast: Cast
    opened: list[str]
    targets: list[str]
    strategies: list[str]
    states: list[str]
    escalated: list[str]
    seconds_to_incident: float | None
    seconds_to_verified: float | None
    ailing: list[str]
    harm: list[str]
    writes: int
    told: list[str] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Every root cause was."""
        return {c.code for c in self.cast.scenario.causes} <= set(self.opened)

    @property
    def false_alarms(self) -> list[str]:
        """Codes of incidents that are not true of this world."""
        right = {*(c.code for c in self.cast.scenario.causes), *self.cast.scenario.also}
        return [code for code in self.opened if code not in right]

    @property
    def cause_right(self) -> bool:
        """The first incident was a root cause."""
        return self.opened[:1] != [] and self.opened[0] in {c.code for c in self.cast.scenario.causes}

    @property
    def target_right(self) -> bool:
        """The first plan, where there is one, is for the right object."""
        return not self.targets or self.targets[0] in {c.target for c in self.cast.scenario.causes}

    @property
    def strategy_right(self) -> bool:
        """Every plan that was made is of an accepted strategy."""
        return set(self.strategies) <= set(self.cast.scenario.repairs)

    @property
    def ended_right(self) -> bool:
        """Repaired and proven; or asked; or taken back. A control: nothing at all."""
        scenario = self.cast.scenario
        if scenario.control:
            return not self.opened and not self.states and not self.writes
        if scenario.mends:
            return "succeeded" in self.states and not self.ailing
        spoken = bool(self.escalated) or bool(self.targets)
        if scenario.asks:
            return spoken and not self.states and not self.writes
        return "rolled_back" in self.states and set(self.states) <= {"rolled_back", "refused", "escalated"}

    def wrong(self) -> list[str]:
        """What is not as the scenario says it must be; empty when all is."""
        s = self.cast.scenario
        found = [*self.harm]
        if s.control:
            found += [f"a control had {self.opened} {self.states}, {self.writes} writes"] * (not self.ended_right)
        else:
            if not (self.found and self.cause_right):
                found.append(f"found {self.opened}, not {[c.code for c in s.causes]} first")
            if self.false_alarms:
                found.append(f"also found {self.false_alarms}")
            if not self.target_right:
                found.append(f"would repair {self.targets[0]}, not {[c.target for c in s.causes]}")
            if not self.strategy_right:
                found.append(f"chose {self.strategies}, not of {list(s.repairs)}")
            if not self.ended_right:
                found.append(f"ended {self.states} {self.ailing}, {self.writes} writes")
        if not found:
            return []
        return [f"{self.cast.name} (seed {self.cast.seed}): {f}" for f in (*found, *self.told)]

    def line(self) -> str:
        def secs(value: float | None) -> str:
            return "—" if value is None else f"{value:.1f}"

        return (
            f"{self.cast.name:<36} {','.join(self.opened) or '—':<12} {','.join(self.targets) or '—':<24} "
            f"{','.join(self.strategies) or '—':<28} {','.join(self.states) or '—':<12} "
            f"{secs(self.seconds_to_incident):>6} {secs(self.seconds_to_verified):>7} "
            f"{'' if not self.wrong() else 'WRONG'}"
        )
