"""`python -m ops.traces`: run the local trace store."""

from ops.traces.app import main

if __name__ == "__main__":
    main()
