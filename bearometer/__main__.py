"""`python -m bearometer` is `bearometer`."""

from bearometer.cli import main

main()
