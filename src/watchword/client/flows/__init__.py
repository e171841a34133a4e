"""The exchanges, each once: as generators that yield effects (`client/effects.py`) and know nothing of sockets."""
