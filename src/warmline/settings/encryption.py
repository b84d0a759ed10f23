"""Settings of encryption: where the key is, never the key."""

from pydantic import Field

from warmline.settings.section import Section


class EncryptionSettings(Section):
    """[encryption] landing folder and warehouse are encrypted as soon as a key is given."""

    key_env: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Name of the environment variable that holds the key; empty: WARMLINE_KEY, "
        "if it is set.",
    )
    key_file: str = Field(
        default="",
        description="File that holds the key (`warmline key new FILE` makes one); empty: none.",
    )
