"""`python -m facial_keypoints.bulk`: Ray cannot pickle what __main__ holds, so all is beside it."""

from facial_keypoints.bulk import command

if __name__ == "__main__":
    command()
