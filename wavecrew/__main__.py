"""`python -m wavecrew` is the command `wavecrew`."""

from wavecrew.cli.main import main

main()
