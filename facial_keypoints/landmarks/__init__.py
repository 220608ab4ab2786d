"""The 68 points: markup, crops, network, predictor."""
