"""What tests of ours, and of applications that trust us, inject: time, randomness, counts."""

from watchword.testing.determinism import FixedClock, SeededEntropy

__all__ = ["FixedClock", "SeededEntropy"]
