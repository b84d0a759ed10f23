"""What every table of settings is."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

OUT_OF_ORDER = "out_of_order"


class Section(BaseModel):
    """A frozen table of settings that refuses keys it does not know.

    `in_order` names pairs of keys of which the first must not be more than the second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    in_order: ClassVar[tuple[tuple[str, str], ...]] = ()

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        for lesser, greater in self.in_order:
            values = {"low": getattr(self, lesser), "high": getattr(self, greater)}
            if values["low"] > values["high"]:
                keys = {"lesser": lesser, "greater": greater}
                message = "{lesser} = {low} must not be more than {greater} = {high}"
                raise PydanticCustomError(OUT_OF_ORDER, message, keys | values)
        return self
