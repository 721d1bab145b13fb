"""The 95 % interval of a share."""

import math

Z_95 = 1.959963984540054
"""Of a normal distribution, 95 % lie within so many standard deviations of the mean."""

Interval = tuple[float, float]


def wilson_interval(right: int, all: int) -> Interval:
    """95 % interval of a share of `all` (Wilson 1927). Raises ValueError for none."""
    if all <= 0:
        raise ValueError("a share of nothing")
    share, z2 = right / all, Z_95**2 / all
    middle = (share + z2 / 2) / (1 + z2)
    half = Z_95 / (1 + z2) * math.sqrt(share * (1 - share) / all + z2 / all / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
