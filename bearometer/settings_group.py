"""What every group of settings is made of."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Group"]


class Group(BaseModel):
    """Settings that belong together: read once, without unknown names, and whose values no error shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
