"""`./space bench`: Space beside what one would pick instead, on this machine, in one run."""
