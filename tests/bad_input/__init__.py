"""Photos and other files as strangers send them, made here, and what each must lead to.

`python -m tests.bad_input` puts every one of them through the photo reader and prints how many
there are, how many went wrong, and how much memory the largest took.
"""
