"""`./space screenshots`: the pictures in `docs/images`, of a Space that is started for them."""
