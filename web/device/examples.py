"""The example photos of the keypoint tab."""

#: File in assets/examples -> what it shows.
PHOTOS = {
    "astronaut.jpg": "An astronaut in an orange suit",
    "admiral.jpg": "A navy officer with glasses and a cap",
    "two_portraits.jpg": "Two portraits side by side",
    "cat.jpg": "A cat, which has no human face",
}
