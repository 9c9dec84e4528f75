"""Use over time as the Vertical Pod Autoscaler remembers it: histograms whose old samples fade.

github.com/kubernetes/autoscaler, `vertical-pod-autoscaler/pkg/recommender`: `util/histogram_options.go`,
`util/decaying_histogram.go`, `model/aggregations_config.go`. A sample's weight doubles with every half-life that it is
younger. Buckets grow by 5 %; a percentile is the end of the bucket in which it falls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

Look = tuple[float, float, float]
"""One pod's container at a moment: cores, bytes, and the cores it requests."""

DAY_S = HALF_LIFE_S = 24 * 3600.0
APART_S = 30.0
LEAST_WEIGHT = 0.1
"""Cores that a CPU sample weighs at least; more when its pod requests more."""
MOST_HALVINGS = 100
"""Half-lives after which the weights are related to a newer moment, so that they stay numbers."""


@dataclass(frozen=True)
class Scale:
    """Buckets: the first is `first` wide, each next one wider by the ratio; what is above `most` is in the last."""

    first: float
    most: float
    ratio: float = 1.05

    @property
    def last(self) -> int:
        """The number of the last bucket."""
        return math.ceil(math.log(self.most * (self.ratio - 1) / self.first + 1, self.ratio))

    def bucket(self, value: float) -> int:
        """The bucket that a value falls into."""
        if value < self.first:
            return 0
        return min(int(math.log(value * (self.ratio - 1) / self.first + 1) / math.log(self.ratio)), self.last)

    def begin(self, bucket: int) -> float:
        """Where a bucket begins."""
        return self.first * (self.ratio**bucket - 1) / (self.ratio - 1)


CPU = Scale(first=0.01, most=1000.0)
MEMORY = Scale(first=1e7, most=1e12)


class Histogram(Struct, frozen=True):
    """Weights by bucket, related to a moment (epoch seconds): a sample of that moment has its plain weight."""

    reference: float = 0.0
    weights: dict[int, float] = {}

    def with_sample(self, scale: Scale, value: float, weight: float, at: float) -> Histogram:
        """One more sample; a weight below zero takes one back."""
        here = self if self.weights else Histogram(at)
        if at - here.reference > MOST_HALVINGS * HALF_LIFE_S:
            here = related_to(here, at)
        bucket = scale.bucket(value)
        more = weight * 2 ** ((at - here.reference) / HALF_LIFE_S)
        held = max(here.weights.get(bucket, 0.0) + more, 0.0)
        return Histogram(here.reference, {**here.weights, bucket: held})

    def percentile(self, scale: Scale, share: float) -> float:
        """The end of the first bucket up to which at least that share of all weight lies; 0 without any."""
        total, partial = sum(self.weights.values()), 0.0
        if not total:
            return 0.0
        bucket = 0
        for bucket in sorted(b for b, w in self.weights.items() if w):
            partial += self.weights[bucket]
            if partial >= share * total:
                break
        return scale.begin(bucket + 1) if bucket < scale.last else scale.begin(bucket)


def related_to(histogram: Histogram, at: float) -> Histogram:
    """The same histogram related to another moment."""
    fade = 2 ** ((histogram.reference - at) / HALF_LIFE_S)
    return Histogram(at, {b: w * fade for b, w in histogram.weights.items()})


class Record(Struct, frozen=True):
    """One container's use, over all its pods. Times in epoch seconds. samples: moments at which it was looked at.

    peak: the highest memory of the day that ends at `day_ends`; it is one sample of the memory histogram.
    """

    cpu: Histogram = Histogram()
    memory: Histogram = Histogram()
    first_at: float = 0.0
    last_at: float = 0.0
    samples: int = 0
    peak: float = 0.0
    day_ends: float = 0.0

    @property
    def days(self) -> float:
        """How much time it covers."""
        return (self.last_at - self.first_at) / DAY_S

    def seen(self, looks: Sequence[Look], at: float) -> Record:
        """With one more look at its pods. Looks that come too soon after the last tell nothing new."""
        if not looks or at - self.last_at < APART_S:
            return self
        cpu = self.cpu
        for cores, _, request in looks:
            cpu = cpu.with_sample(CPU, cores, max(request, LEAST_WEIGHT), at)
        return replace(
            self._with_peak(max(used for _, used, _ in looks), at),
            cpu=cpu,
            first_at=self.first_at or at,
            last_at=at,
            samples=self.samples + 1,
        )

    def _with_peak(self, used: float, at: float) -> Record:
        """The memory histogram holds one sample a day, the highest of it; a higher one takes its place."""
        day_ends, peak, memory = self.day_ends or at + DAY_S, self.peak, self.memory
        if at >= day_ends:
            day_ends, peak = day_ends + (math.floor((at - day_ends) / DAY_S) + 1) * DAY_S, 0.0
        if used > peak:
            if peak:
                memory = memory.with_sample(MEMORY, peak, -1.0, day_ends)
            memory, peak = memory.with_sample(MEMORY, used, 1.0, day_ends), used
        return replace(self, memory=memory, peak=peak, day_ends=day_ends)
