"""``python -m ava_tools`` is the command line."""

from ava_tools.cli.main import main

main()
