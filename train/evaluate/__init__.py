"""Evaluations: every published figure about the models' answers."""
