"""The keypoint tab: photo, live view, video."""
