"""The command line: `main` runs it, and each group of commands is a module that adds itself.

Exit codes, the shape of errors and of `--json` are contract for scripts (docs: README, "For scripts"). Start is fast:
a command imports what it needs when it runs.
"""
