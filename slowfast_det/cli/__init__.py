"""The command line ``slowfast-det``, one file a command."""
