"""What judgements say, for tests that read sentences."""

from __future__ import annotations

from rules.catalogue import CATALOGUE
from rules.checks.base import Evaluation
from rules.wording.standard import STANDARD
from rules.wording.texts import Said

VERSIONS = {rule.code: rule.version for rule in CATALOGUE.rules}


def said(made: Evaluation) -> str:
    """The Chinese sentence of an evaluation; that there is an English one as well is tried on the way."""
    words = STANDARD.summary(Said.of(made))
    assert words.en
    return words.zh


def means(rule: str, reason: str, **named: str) -> str:
    """The Chinese sentence of a reason."""
    words = STANDARD.reason(rule, VERSIONS[rule], reason, named)
    assert words.zh != reason
    return words.zh
