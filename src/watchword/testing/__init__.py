"""What tests of ours, and of applications that trust us, inject: time, randomness, counts."""

from watchword.testing.determinism import AdvancingClock, FixedClock, SeededEntropy

__all__ = ["AdvancingClock", "FixedClock", "SeededEntropy"]
