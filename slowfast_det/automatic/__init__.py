"""A data set's folder to a working detector, with nothing else said."""
