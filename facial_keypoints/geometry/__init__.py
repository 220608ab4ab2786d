"""What the points tell of the head: mean face, pose, expression."""
