"""What is trained: the loop sees each of them as a `Task`."""
