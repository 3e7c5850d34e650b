"""See it work without weights or downloads: films are generated, a detector is trained on them and tested."""
