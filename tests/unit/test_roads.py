"""The seeded city: connected, the same for the same seed, and driven as a car drives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.city.roads import NANTONG, build_network, drive, gnss_noise
from telemetry.geo import distance_m
from tests.examples import examples

NETWORK = build_network(7)


def test_the_same_seed_gives_the_same_city() -> None:
    again, other = build_network(7), build_network(8)
    assert np.array_equal(NETWORK.nodes, again.nodes)
    assert NETWORK.edges == again.edges
    assert not np.array_equal(NETWORK.nodes, other.nodes)


def test_the_plane_keeps_ellipsoidal_distances() -> None:
    rng = np.random.default_rng(1)
    xy = rng.uniform(-12_000, 12_000, (200, 2))
    degrees = NANTONG.to_degrees(xy)
    assert np.allclose(NANTONG.to_metres(degrees), xy, atol=1e-6)
    there = distance_m(degrees[:-1, 0], degrees[:-1, 1], degrees[1:, 0], degrees[1:, 1])
    here = np.hypot(*np.diff(xy, axis=0).T)
    assert np.abs(there / here - 1).max() < 2e-3


@settings(max_examples=examples(50), deadline=None)
@given(st.integers(0, len(NETWORK.nodes) - 1), st.integers(0, len(NETWORK.nodes) - 1))
def test_routes_follow_roads_and_are_symmetric_in_cost(a: int, b: int) -> None:
    route = NETWORK.route(a, b)
    assert (route[0], route[-1]) == (a, b)
    cost = sum(
        NETWORK.edges[p][q][0] * 3.6 / NETWORK.edges[p][q][1] for p, q in itertools.pairwise(route)
    )  # KeyError if two neighbours are not joined by a road
    assert cost == pytest.approx(NETWORK.travel_s(a, b))
    assert cost == pytest.approx(NETWORK.travel_s(b, a))
    assert len(set(route)) == len(route)


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(0, 10_000))
def test_a_car_starts_and_ends_at_rest_and_never_leaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (int(n) for n in rng.integers(0, len(NETWORK.nodes), 2))
    route = NETWORK.route(a, b)
    limits = np.array([NETWORK.edges[p][q][1] for p, q in itertools.pairwise(route)])
    way = drive(NETWORK.nodes[route], limits, rng)
    assert way.speed[0] == 0.0
    assert way.speed[-1] == 0.0
    assert np.allclose(way.xy[-1], NETWORK.nodes[b])
    if len(way) > 1:
        step = np.hypot(*np.diff(way.xy, axis=0).T)
        assert step.max() <= limits.max() / 3.6 + 1e-6
        assert np.abs(np.diff(way.speed)).max() < 3.0


def test_noise_has_the_size_it_was_asked_for() -> None:
    times = np.arange(0, 200_000, 10)
    noise = gnss_noise(times, np.random.default_rng(3), sigma_m=4.0)
    assert 3.5 < noise.std() < 4.6
    step = np.hypot(*np.diff(noise, axis=0).T)
    assert step.mean() < 4.5  # it wanders, it does not hop by its full size
    assert gnss_noise(times[:0], np.random.default_rng(3), sigma_m=4.0).shape == (0, 2)
