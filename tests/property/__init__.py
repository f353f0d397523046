"""Programs made at random, run in every way there is; all ways must agree."""
