"""The metrics: arrays in, numbers out. Files and names are known one floor up, in `ava_tools.evaluation`."""
