"""What every table of settings is."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A frozen table of settings that refuses keys it does not know.

    `in_order` names pairs of keys of which the first must not be more than the second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    in_order: ClassVar[tuple[tuple[str, str], ...]] = ()

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        for lesser, greater in self.in_order:
            low, high = getattr(self, lesser), getattr(self, greater)
            if low > high:
                raise ValueError(f"{lesser} = {low} must not be more than {greater} = {high}")
        return self
