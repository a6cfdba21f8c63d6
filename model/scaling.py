"""From logits to probabilities that mean what they say: a temperature, and an exponent of the gaps."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AS_TRAINED", "Scaling"]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What becomes of a head's logits before they are probabilities: gap -> gap ** exponent / temperature.

    A logit's gap is how far it lies below the highest of its row. With the exponent 1 this is temperature scaling (Guo
    et al. 2017). A model that learnt from smoothed labels and from a teacher's doubts is too sure of what is doubtful
    and not sure enough of what is plain, which no temperature mends: an exponent above 1 makes it colder where gaps are
    wide, as in Tomani et al. 2022, https://arxiv.org/abs/2102.12182, where the temperature depends on the row's logits.
    The order of a row's answers never changes.
    """

    temperature: float = 1.0
    exponent: float = 1.0

    def probabilities(self, logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Along the last axis; rows that are not finite come out as NaN."""
        logits = logits.astype(np.float64)
        finite = np.isfinite(logits).all(axis=-1, keepdims=True)
        gaps = np.where(finite, np.max(np.where(finite, logits, 0), axis=-1, keepdims=True) - logits, np.nan)
        weights = np.exp(-(gaps**self.exponent) / self.temperature)
        result: npt.NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
        return result

    def after(self, first: "Scaling") -> "Scaling":
        """What `first` and then this one amount to, this one being applied to logarithms of what `first` gave."""
        return Scaling(
            first.temperature**self.exponent * self.temperature,
            first.exponent * self.exponent,
        )


AS_TRAINED = Scaling()
"""Changes nothing."""
