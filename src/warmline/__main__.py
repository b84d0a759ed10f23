"""`python -m warmline` is `warmline`."""

from warmline.cli import main

if __name__ == "__main__":
    main()
