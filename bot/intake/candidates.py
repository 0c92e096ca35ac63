"""Advisories that new ones may belong with, found without asking the database for each of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from bot.model import Advisory, Stored
from bot.stories import canonical_link, own_ids

MOST_CVES = 20  # by which advisories of the same are looked for; a longer list is a bulletin of its own


class Candidates:
    """Stored advisories in the order of their arrival, by CVE, link and publisher's id.

    ``recent`` are looked at for every new advisory, whatever it names: titles may be alike.
    """

    def __init__(self, near: Iterable[Stored], recent: Iterable[Stored] = ()) -> None:
        self._all: list[Stored] = []
        self._tagged: dict[str, list[int]] = {}  # places
        self._recent: list[int] = []
        lately = {stored.id: stored for stored in recent}
        for _, stored in sorted(({one.id: one for one in near} | lately).items()):
            self._put(stored, recent=stored.id in lately)

    def add(self, stored: Stored) -> int:
        """Take in one more, the newest; its place."""
        return self._put(stored, recent=True)

    def _put(self, stored: Stored, *, recent: bool) -> int:
        place = len(self._all)
        self._all.append(stored)
        for tag in _tags(stored.advisory):
            self._tagged.setdefault(tag, []).append(place)
        if recent:
            self._recent.append(place)
        return place

    def settle(self, place: int, stored: Stored) -> None:
        """Put ``stored`` in place of the draft that stood there."""
        self._all[place] = stored

    def beside(self, advisory: Advisory, *, recent: bool) -> list[Stored]:
        """Those that ``advisory`` may belong with, oldest first."""
        places = set(chain.from_iterable(self._tagged.get(tag, ()) for tag in _tags(advisory, MOST_CVES)))
        if recent:
            places.update(self._recent)
        return [self._all[place] for place in sorted(places)]


def _tags(advisory: Advisory, most_cves: int | None = None) -> Iterator[str]:
    yield from (f"cve:{cve.upper()}" for cve in advisory.cves[:most_cves])
    yield from (f"id:{name}" for name in own_ids(advisory))
    if place := canonical_link(advisory.url):
        yield f"at:{place}"
