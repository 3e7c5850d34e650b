"""Weight files: opening them safely, fetching them."""
