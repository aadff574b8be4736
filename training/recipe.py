"""How a run is trained: everything but the data and the length, kept inside the run's checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from picture_quality.metrics import SMALLEST_SIDE

_SWITCH = {"true": True, "false": False}
_KINDS: dict[type, tuple[Callable[[str], Any], str]] = {
    bool: (_SWITCH.__getitem__, "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
}
"""How the value of a hyperparameter is read, and what it is called."""


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a run. Raises ValueError, which begins with the name, for values that no run can have."""

    seed: int = 1
    batch: int = 4
    side: int = 192
    """Rows and columns of a training window."""
    bfloat16: bool = True
    """Whether convolutions compute in bfloat16; without hardware for it float32 is faster."""
    known_latents: bool = False
    """Whether the latents are those stored in the shard: the analysis transforms then stay as they are."""
    learning_rate: float = 3e-4
    final_learning_rate: float = 1e-5
    warm_up_steps: int = 100
    hold: float = 0.3
    """Share of the run at the full learning rate, before the cosine."""
    lowest_beta: float = -6.5
    highest_beta: float = 6.5
    """Range of the random beta displacement, in steps of the sigma table (128 of the signalled units)."""
    beta_skew: float = 0.8
    """Exponent of the uniform variable that draws beta: below 1 trains more at high rates."""
    distortion_weight: float = 0.010
    distortion_exponent: float = 1.6
    """Bits per sample are worth weight * gain^exponent * squared error (0..255 scale)."""
    luma_share: float = 0.8
    chroma_share: float = 0.8
    """Weight of the squared error of luma, and of the mean one of both chroma planes."""
    similarity_share: float = 0.0
    """Share of the distortion's gradient that follows 1 - MS-SSIM, of which 1 % then counts as 1 % of squared error."""
    int8_share: float = 0.0
    """Share of the steps whose decoders compute with rounded activations (see `training.int8_activations`)."""
    z_rate_free: float = 0.0
    """Share of the run in which the bits of z cost nothing; their weight then rises, to 1 at the half."""
    hyper_speed: float = 1.0
    """Learning rate of the hyper networks relative to the others."""
    z_model_speed: float = 30.0
    """The same of the distributions of z."""
    revived_deviation: float = 0.0
    """Spread that dead channels of z start with, if not 0 (see `training.revival`)."""
    gradient_norm: float = 1.0
    outlier: float = 6.0
    """Steps whose gradient norm is above so many times the running median are skipped."""
    average_every: int = 5
    average_decay: float = 0.99

    def __post_init__(self) -> None:
        if self.warm_up_steps < 1:
            raise ValueError(f"warm_up_steps is at least 1, not {self.warm_up_steps}")
        if not 0 <= self.hold < 1:
            raise ValueError(f"hold is at least 0 and below 1, not {self.hold}")
        if not 0 <= self.z_rate_free < 0.5:
            raise ValueError(f"z_rate_free is at least 0 and below 0.5, not {self.z_rate_free}")
        if self.similarity_share and self.side < SMALLEST_SIDE:
            raise ValueError(f"similarity_share needs a side of at least {SMALLEST_SIDE}, not {self.side}")

    def with_settings(self, settings: Sequence[str]) -> Recipe:
        """This recipe with NAME=VALUE for some hyperparameters. Raises ValueError as the recipe itself does."""
        changes: dict[str, Any] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in vars(self):
                raise ValueError(f"{name} is no hyperparameter")
            read, meaning = _KINDS[type(getattr(self, name))]
            try:
                changes[name] = read(value)
            except (KeyError, ValueError):
                raise ValueError(f"{name} is {meaning}, not {value!r}") from None
        return replace(self, **changes)

    def learning_rate_at(self, step: int, progress: float) -> float:
        """Learning rate at a step, `progress` (0..1) of the run being over."""
        warm_up = min(1.0, (step + 1) / self.warm_up_steps)
        fall = max(0.0, progress - self.hold) / (1 - self.hold)
        swing = 0.5 * (1 + math.cos(math.pi * min(1.0, fall)))
        return warm_up * (self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * swing)

    def z_rate_share_at(self, progress: float) -> float:
        """Weight of the bits of the hyper latents when `progress` (0..1) of the run is over."""
        if not self.z_rate_free:
            return 1.0
        return min(1.0, max(0.0, progress - self.z_rate_free) / (0.5 - self.z_rate_free))
