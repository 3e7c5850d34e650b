"""See it work without weights or downloads: a generated film, predicted."""
