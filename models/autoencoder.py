"""The network: a denoising autoencoder that says what a hidden group of inputs should be, and how surely.

Only the network and its loss. How it is trained is in `training.py`, what its answers are worth in `calibration.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

HIDDEN, BOTTLENECK = 64, 24
FURTHEST_SEEN = 5.0
"""The network sees inputs within five spreads only: one absurd value must not make all others look strange."""
SURELY, VAGUELY = -3.0, 3.0


class MaskedAutoencoder(nn.Module):
    """For every input a mean and a log scale, from the inputs that may be seen.

    A plain autoencoder copies an anomaly through its bottleneck when inputs are correlated, and its squared
    error counts easy and hard inputs alike. Here a group is judged while it is hidden, so that no feature
    explains itself or is explained by another view of the same sum, and each error is in expected errors.
    What is proportional (spend to mean spend) goes past the bottleneck: it is hidden already, and learnt sooner.
    """

    members: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__()
        names = list(dict.fromkeys(groups))
        self.register_buffer("members", torch.tensor([[g == name for g in groups] for name in names]), persistent=False)
        width = len(groups)
        self.register_buffer("lowest", torch.full((width,), -torch.inf))
        self.register_buffer("highest", torch.full((width,), torch.inf))
        self.layers = nn.Sequential(
            nn.Linear(2 * width, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, BOTTLENECK),
            nn.SiLU(),
            nn.Linear(BOTTLENECK, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, 2 * width),
        )
        self.proportional = nn.Linear(2 * width, 2 * width)
        nn.init.zeros_(self.proportional.weight)

    def forward(self, values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale of every input; where `seen` is false the value has no influence.

        Nor has one beyond what training has shown: a date later than all of them would move every expectation.
        """
        seen = seen & (values >= self.lowest) & (values <= self.highest)
        shown = torch.where(seen, values.clamp(-FURTHEST_SEEN, FURTHEST_SEEN), 0.0)
        both = torch.cat([shown, seen.to(values.dtype)], dim=1)
        mean, log_scale = (self.layers(both) + self.proportional(both)).chunk(2, dim=1)
        return mean, log_scale.clamp(SURELY, VAGUELY)

    def loss(self, values: Tensor, present: Tensor, generator: torch.Generator) -> Tensor:
        """The Gaussian log likelihood of one hidden group per row, seen through the rest less some more groups."""
        groups, rows = len(self.members), len(values)
        judged = self.members[torch.randint(groups, (rows,), generator=generator)]
        dropped = (torch.rand(rows, groups, generator=generator) < 0.15).float() @ self.members.float() > 0
        mean, log_scale = self(values, present & ~judged & ~dropped)
        error = log_scale + 0.5 * ((values - mean) * torch.exp(-log_scale)) ** 2
        counted = present & judged
        mean_error: Tensor = (error * counted).sum() / counted.sum().clamp(min=1)
        return mean_error

    def knows_only(self, values: Tensor, present: Tensor) -> None:
        """What lies outside the range of `values` where they are present is not used from now on."""
        self.lowest.copy_(torch.where(present, values, torch.inf).amin(dim=0))
        self.highest.copy_(torch.where(present, values, -torch.inf).amax(dim=0))

    @torch.no_grad()
    def expected(self, values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale of every input, each while the whole group it belongs to is hidden."""
        means, scales = torch.zeros_like(values), torch.ones_like(values)
        for members in self.members:
            mean, log_scale = self(values, present & ~members)
            means = torch.where(members, mean, means)
            scales = torch.where(members, torch.exp(log_scale), scales)
        return means, scales


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread inside, and as before outside: on two shared cores more threads only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
