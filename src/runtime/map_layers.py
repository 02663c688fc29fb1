"""Maps of others that the console may lay under its own drawings: the setting ``basemap_layers``."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

#: Scheme and host are all that the policy for content names, so nothing else may be in them.
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(?=/)")
_PLACES: Final = ("{z}", "{x}", "{y}")
_KEY: Final = "{key}"


class OnlineLayer(BaseModel):
    """Tiles of pictures in Web Mercator. ``urls`` lie above each other, the first at the bottom, with {z}, {x}, {y} and, where
    there is one, {key}. ``datum``: that of the picture (天地图: wgs84; 高德, 腾讯: gcj02)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00-\x1f\x7f]+$")]
    urls: Annotated[
        tuple[Annotated[str, Field(max_length=500, pattern=r"^[!-~]+$")], ...],
        Field(min_length=1, max_length=3),
    ]
    attribution: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    datum: Literal["wgs84", "gcj02"]
    key: SecretStr = SecretStr("")
    max_zoom: Annotated[int, Field(ge=1, le=22)] = 18

    @field_validator("urls")
    @classmethod
    def _templates(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if _ORIGIN.match(url) is None:
                raise ValueError(f"an address begins with https://host/: {url.partition('?')[0]}")
            if missing := [place for place in _PLACES if url.count(place) != 1]:
                raise ValueError(f"{missing[0]} must stand once in {url.partition('?')[0]}?...")
        return urls

    @model_validator(mode="after")
    def _key_has_its_place(self) -> OnlineLayer:
        if bool(self.key.get_secret_value()) != any(_KEY in url for url in self.urls):
            raise ValueError("a key goes where {key} stands in urls; either both are given, or none")
        return self

    def tiles(self) -> list[str]:
        """``urls`` with the key: what a browser asks for."""
        return [url.replace(_KEY, self.key.get_secret_value()) for url in self.urls]

    def origins(self) -> list[str]:
        """Scheme and host of each of ``urls``, as a policy for content names them."""
        return [found[0].lower() for url in self.urls if (found := _ORIGIN.match(url)) is not None]
