"""The next version of ``traffic_violations``, as a product would have it beside the version that it supersedes: one violation
fewer is enough."""

from __future__ import annotations

from dataclasses import replace

from rules.checks import traffic_violations as before
from rules.checks.base import Evaluation
from rules.checks.traffic_violations import Evidence
from rules.evidence import require

RULE = before.RULE
VERSION = before.VERSION + 1


def evaluate(evidence: Evidence) -> Evaluation:
    """See ``rules.checks.traffic_violations``."""
    require(evidence, RULE, VERSION)
    used = evidence["parameters"] | {"min_violations": evidence["parameters"]["min_violations"] - 1}
    older: Evidence = {**evidence, "rule_version": before.VERSION, "parameters": used}
    return replace(before.evaluate(older), rule_version=VERSION, parameters=evidence["parameters"])
