"""What the tables of limits hold."""


class LimitMeasures:
    """Written by the limiter in this process."""

    def __init__(self) -> None:
        self.buckets = 0
        """Held now."""
        self.dropped = 0
        """Forgotten for want of room while they were not full."""
