"""Clips: which frames a network looks at, and how frames and boxes become its input."""
