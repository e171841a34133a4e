"""A test that sets the process's log, as a server or a command does, leaves it to the next as it found it."""

import logging
from collections.abc import Iterator

import pytest

_NAMES = (None, "watchword")
_SWITCHES = ("logThreads", "logProcesses", "logMultiprocessing")


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Levels, handlers and the library's switches; pytest's own handlers come and go by themselves."""
    loggers = [logging.getLogger(name) for name in _NAMES]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    switches = {name: getattr(logging, name) for name in _SWITCHES}
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        for handler in [each for each in logger.handlers if each not in handlers]:
            logger.removeHandler(handler)
    for name, value in switches.items():
        setattr(logging, name, value)
