"""The command line ``ava-tools``, one file a command."""
