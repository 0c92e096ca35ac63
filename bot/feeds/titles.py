"""What publishers put around a title to say that an advisory is new, or has changed."""

from __future__ import annotations

import re

_FIRST_VERSION = re.compile(r"1(?:\.0+)*$")
_UPDATE_WORDS = (
    r"maj|m\s*[àa]\s*j|mise\s+[àa]\s+jour|updated?|aktualisierung|aktualisiert|actualizaci[óo]n|actualizado|aggiornamento"
    r"|aggiornato|atualiza[çc][ãa]o|uppdatering|uppdaterad|opdatering|opdateret|oppdatering|oppdatert|p[äa]ivitys|päivitetty"
    r"|aktualizace|aktualizov[aá]no|aktualizacja|更新|改訂|업데이트"
)
_NEW_WORDS = r"neu|new|nouveau|nuevo|nieuw|新規"
_MARKERS = (
    re.compile(rf"^[\[【(]\s*(?P<update>{_UPDATE_WORDS})\b[^\])】]{{0,20}}[\])】]\s*[:：-]?\s*", re.IGNORECASE),
    re.compile(rf"^(?P<update>{_UPDATE_WORDS})(?:\s*\d{{0,2}})?\s*[:：]\s*", re.IGNORECASE),
    re.compile(rf"^[\[【]\s*(?:{_NEW_WORDS})\s*[\]】]\s*", re.IGNORECASE),
    re.compile(r"^(?:version|ver\.|v)\s*(?P<version>\d+(?:\.\d+){1,2})\s*[:：]\s*", re.IGNORECASE),
    re.compile(r"\s*[(\[]\s*(?P<update>updat(?:ed?)?)(?:\s+[a-z0-9]{1,3})?\s*[)\]]\s*$", re.IGNORECASE),
    re.compile(r"\[\s*(?P<version>[1-9]\.\d{2})\s*\]\s*"),
    re.compile(r"\s*[（(]\s*(?P<update>更新|改訂)\s*[)）]\s*$"),
)
_LONGEST = 600  # characters of a title


def update_marker(title: str) -> str:
    """The words in ``title`` that say it is an update (``[UPDATE]``, ``(Update B)``, ``Version 1.1:``), or nothing."""
    for match in _found(title):
        groups = match.groupdict()
        version = groups.get("version")
        if groups.get("update") or (version and not _FIRST_VERSION.match(version)):
            return match[0].strip()
    return ""


def bare_title(title: str) -> str:
    """``title`` without the words that say new or update: the same for every revision of an advisory."""
    bare = title.strip()[:_LONGEST]
    for _ in range(4):
        for marker in _MARKERS:
            bare = marker.sub("", bare, count=1)
    return bare.strip() or title.strip()


def _found(title: str) -> list[re.Match[str]]:
    text, found = title.strip()[:_LONGEST], []
    for _ in range(4):
        for marker in _MARKERS:
            if match := marker.search(text):
                found.append(match)
                text = marker.sub("", text, count=1)
    return found
