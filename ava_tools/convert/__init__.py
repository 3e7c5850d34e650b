"""Annotation files of other tools, to a data set folder and back; one file a format."""
