"""``python -m slowfast_det`` is the command line."""

from slowfast_det.cli.main import main

main()
