"""`python -m watchword`."""

from watchword.cli.main import main

if __name__ == "__main__":
    main()
