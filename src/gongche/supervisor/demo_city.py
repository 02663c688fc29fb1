"""The demo's city, for the processes that need it: its roads for the navigation engine, its picture for the console."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from office.basemap.tile_file import DEMO, path_of
from runtime.errors import GongcheError
from runtime.settings import Settings
from simulation.city.demo_map import prepare_demo, prepare_demo_base_map

Say = Callable[[str], None]


def have_roads(seed: int, settings: Settings, say: Say) -> bool:
    """Have a navigation engine that knows the roads of the demo; whether there is one. What is missing is said: the demo
    goes on without."""
    if settings.navigation_url or settings.navigation_engine != "valhalla":
        missing = "GONGCHE_NAVIGATION_* 指定的引擎没有演示路网 / the engine of GONGCHE_NAVIGATION_* does not have these roads"
    else:
        try:
            prepare_demo(settings.data_dir, seed, say)
        except GongcheError as error:
            missing = error.message + (f" ({error.hint})" if error.hint else "")
        except (OSError, subprocess.SubprocessError) as error:
            missing = str(error)
        else:
            return True
    say(
        f"没有导航引擎，演示不含里程规则 / no navigation engine, the demo goes on without the rule on mileage: {missing}"
    )
    return False


def have_base_map(seed: int, settings: Settings, say: Say) -> None:
    """Have the base map of the demo's city, where somebody can see it. Without it the demo goes on, over a plain ground."""
    if not settings.console or settings.basemap_file is not None:
        return
    try:
        prepare_demo_base_map(settings.data_dir, seed, say)
    except (GongcheError, OSError) as error:
        say(f"没有演示底图 / there is no base map of the demo's city: {error}")


def base_map_of(settings: Settings) -> Path | None:
    """The file of the demo's base map; None: the settings name another one. Also where it could not be made: streets of a real
    map would not be those of the demo."""
    return path_of(settings.data_dir, DEMO) if settings.basemap_file is None else None
