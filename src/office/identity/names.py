"""Login names and other short texts of people: how they are written, so that two that look alike are one or none."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Latin letters without marks, digits, Han characters, and ``. _ -`` inside. Letters of other scripts that look like Latin
#: ones (Cyrillic, Greek) are refused, so nobody can be taken for somebody else.
_LOGIN: Final = re.compile(
    "[a-z0-9\u3400-\u4dbf\u4e00-\u9fff](?:[a-z0-9._\u3400-\u4dbf\u4e00-\u9fff-]{0,62}[a-z0-9\u3400-\u4dbf\u4e00-\u9fff])"
)
#: What a login name must be, for people.
LOGIN_RULE: Final = (
    "登录名为 2 至 64 个字符：小写字母、数字、汉字，中间可用 . _ -"
    " · a login name has 2 to 64 characters: a-z, digits, Chinese characters, and . _ - inside"
)
_PHONE: Final = re.compile(r"\+?[0-9][0-9 -]{3,30}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s<>,;:\"\\]{1,64}@[^@\s<>,;:\"\\]{1,189}")


def login_name(text: str) -> str | None:
    """``text`` as a login name: NFKC (full-width letters become plain ones), lower case. None = it can be none."""
    if len(text) > 200:
        return None
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
    return name if _LOGIN.fullmatch(name) else None


def shown_name(text: str) -> str | None:
    """``text`` as the name of a person or program: NFC, printable, 1 to 100 characters; None = it can be none."""
    name = unicodedata.normalize("NFC", text.strip())
    return name if 0 < len(name) <= 100 and name.isprintable() else None


def phone_number(text: str) -> str | None:
    """``text`` as a phone number, or None."""
    number = unicodedata.normalize("NFKC", text.strip())
    return number if _PHONE.fullmatch(number) else None


def email_address(text: str) -> str | None:
    """``text`` as an e-mail address, or None. A line end in it would become a header of a message."""
    address = unicodedata.normalize("NFC", text.strip())
    return address if address.isprintable() and _EMAIL.fullmatch(address) else None
