"""`python -m ops.idp`: run the development identity provider."""

from ops.idp.app import main

if __name__ == "__main__":
    main()
