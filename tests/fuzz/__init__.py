"""Differential fuzzing of the entropy stage: two engines give the same arrays or the same class of error."""
