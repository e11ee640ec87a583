# ruff: noqa: INP001 (a script beside the pages that show what it makes)
"""Makes `docs/images/studio-*.png`: the screens of Studio, of a shop with two deployments.

Run `python docs/screenshots.py` after a change of the page, or `python docs/screenshots.py explore` for one picture. It
needs Chromium on the PATH, and the packages of the group `dev`.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fixtures"))

from chromium import DESKTOP, PHONE, WatchedPage, launched, opened
from PIL import Image
from shop_store import Shop, make_shop
from studio_process import StudioProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Browser

IMAGES: Final = Path(__file__).resolve().parent / "images"
COLORS: Final = 256
"""A picture of a page has few colors: with this many it is half of the size, and looks the same."""
TALL: Final = (DESKTOP[0], 900)


def places(shop: Shop) -> dict[str, tuple[str, str, tuple[int, int], str]]:
    """Name of each picture: the place, what it must show, the size of the window, and light or dark."""
    window = f"since={quote(_text(shop.until - dt.timedelta(hours=24)))}&until={quote(_text(shop.until))}"
    others = quote(json.dumps(["shop/green"]))
    request = f"request/{shop.new_category}_0?deployment=shop%2Fblue"
    return {
        "explore": (f"explore/shop/blue?{window}", "main table", DESKTOP, "dark"),
        "home": ("home", "main table:not(:has(.not-yet))", DESKTOP, "light"),  # nulls and drift are there
        "request": (request, "article.request .waterfall", TALL, "light"),
        "feature": (f"feature/shop/blue/inputs.age?others={others}", "article.feature .bands", TALL, "light"),
        "performance": ("performance/shop/blue?by=inputs.country", "article.performance .tiles", TALL, "light"),
        "health": ("health", "article.health table", DESKTOP, "light"),
        "phone": (f"explore/shop/blue?{window}", "main table", PHONE, "dark"),
    }


def _text(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _picture(browser: Browser, studio: StudioProcess, place: tuple[str, str, tuple[int, int], str]) -> bytes:
    path, shown, size, scheme = place
    watched = WatchedPage(opened(browser, size, "dark" if scheme == "dark" else "light"))
    watched.watch()
    watched.page.goto(studio.at(path))
    watched.settle(shown)
    content = watched.page.screenshot()
    watched.check()
    watched.page.context.close()
    return content


def main(names: Iterable[str]) -> None:
    """Make the pictures of these names, or all of them."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        until = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
        shop = make_shop(Path("modeldata"), until, per_hour=60, traced_every=1)
        seal = [sys.executable, "-m", "otel_modeldata_receiver", "seal", "./modeldata"]
        subprocess.run(seal, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (its own command)
        flags = ("--baseline", shop.baseline, "--trace-url", "https://jaeger.example/trace/{trace_id}")
        studio = StudioProcess(store="./modeldata", flags=flags, log=Path("studio.log"))
        studio.start()
        with contextlib.closing(studio), launched() as browser:
            chosen = places(shop)
            for name in names or chosen:
                pixels = Image.open(BytesIO(_picture(browser, studio, chosen[name]))).convert("RGB")
                path = IMAGES / f"studio-{name}.png"
                path.parent.mkdir(exist_ok=True)
                few = pixels.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
                few.save(path, optimize=True)
                sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pictures to make: all by default")
    main(parser.parse_args().names)
