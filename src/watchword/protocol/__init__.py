"""Wire protocols without I/O, used by both ends. `docs/protocol/` is normative; steps are numbered alike in both."""
