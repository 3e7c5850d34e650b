"""The files that a prediction is written to, key frame by key frame."""

ENDINGS = {
    "csv": "csv",
    "jsonl": "jsonl",
    "mp4": "mp4",
    "persons": "persons.csv",
    "intervals": "intervals.csv",
    "tubes": "tubes.jsonl",
    "srt": "srt",
}
"""What a kind of file ends with, behind the film's name and a dot."""
