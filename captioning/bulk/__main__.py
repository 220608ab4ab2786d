"""`python -m captioning.bulk`: Ray cannot pickle what __main__ holds, so all is beside it."""

from captioning.bulk import command

if __name__ == "__main__":
    command()
