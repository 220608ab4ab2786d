"""Results of many photos, each written as soon as it is known."""
