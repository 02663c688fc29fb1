"""What of the chains is pure: which keys may have signed, and the steps of a case as the verification has them."""

from __future__ import annotations

from itertools import pairwise

from office.integrity.signing import NamedKey, SeedKey, SigningKey, key_flaws, key_id, reached
from office.integrity.standing import MOVES, OVER
from office.supervision import states
from office.supervision.states import TABLE, Step


def key(number: int) -> SigningKey:
    return SigningKey(SeedKey(bytes([number]) * 32))


def named(one: SigningKey, before: SigningKey | None = None, *, signature: bytes | None = None) -> NamedKey:
    given = signature if before is None or signature is not None else before.sign_key(one.public.public)
    return NamedKey(one.id, one.public.public, None if before is None else before.id, given)


def test_a_key_counts_that_is_reached_from_the_trusted_one_by_signatures() -> None:
    a, b, c, forger = key(1), key(2), key(3), key(4)
    chain = [named(c, b), named(a), named(b, a)]  # in whatever order they stand
    assert reached(chain, None) == reached(chain, a.id) == {a.id, b.id, c.id}
    assert reached(chain, b.id) == {b.id, c.id}
    assert reached(chain, forger.id) == {forger.id}
    # The trusted key stands beside that of a forger, before it or after it.
    assert reached([named(forger), named(a, forger)], a.id) == {a.id}
    assert reached([named(a), named(forger, a, signature=bytes(64))], a.id) == {a.id}
    assert reached([named(a), NamedKey(forger.id, forger.public.public, a.id, None)], a.id) == {a.id}
    # Two that name each other begin nowhere, and a key under another id is what it is.
    circle = [named(a, b), named(b, a)]
    assert (key_flaws(circle), reached(circle, None)) == ([], frozenset())
    assert reached([NamedKey(a.id, forger.public.public, None, None)], None) == {key_id(forger.public.public)}


def test_a_long_list_of_keys_is_walked_once() -> None:
    keys = [SigningKey(SeedKey(number.to_bytes(32, "big"))) for number in range(300)]
    chain = [named(keys[0]), *(named(one, before) for before, one in pairwise(keys))]
    assert len(reached(chain[::-1], keys[0].id)) == len(keys)


def test_the_verification_knows_the_steps_of_a_case() -> None:
    """They are written out there once more, as what changed the state last and before that."""
    moving = [row for row in TABLE if row.target is not None]
    into: dict[str, set[Step]] = {}
    for row in moving:
        into.setdefault(str(row.target), set()).add(row.step)
    expected: set[tuple[str, str | None, str]] = set()
    for row in moving:
        targets = {other.target for other in moving if other.step is row.step}
        if len(targets) == 1:
            expected.add((row.step, None, str(row.target)))
            continue
        for source in row.sources:
            for before in into[source]:
                assert len({other.target for other in moving if other.step is before}) == 1
                expected.add((row.step, before, str(row.target)))
    assert set(MOVES) == expected
    assert set(OVER) == states.OVER
