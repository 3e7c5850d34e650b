"""From a file of any supported layout to a model, one layout a file."""
