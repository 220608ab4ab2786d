"""Faces with known points: what trainings and evaluations read, hide and draw."""
