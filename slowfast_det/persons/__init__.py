"""Where persons come from: a detector that looks at key frames, or boxes that are given."""
