"""Faces in motion: tracking, smoothing, live sessions, clips."""
