"""Benchmarks: time, memory, load, and the page in a browser."""
