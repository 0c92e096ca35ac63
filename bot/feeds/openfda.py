"""Device recalls over the openFDA API."""

from __future__ import annotations

from bot.feeds.records import Record, Text, foreign, load, read_entries
from bot.model import Entry, Facts, Feed

_EXPECTED = "openFDA device recalls"


class _Recall(Record):
    product_res_number: Text = ""
    cfres_id: Text = ""
    event_date_posted: Text = ""
    event_date_initiated: Text = ""
    recalling_firm: Text = ""
    product_description: Text = ""
    reason_for_recall: Text = ""
    root_cause_description: Text = ""
    action: Text = ""


def read_openfda(text: str) -> Feed:
    """The recalls as a feed; raises NotAFeed for other JSON. No match is an empty feed, as the API means it."""
    content = load(text, _EXPECTED)
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict) and error.get("code") == "NOT_FOUND":
        return Feed((), title="openFDA device recalls", language="en")
    if not isinstance(content, dict) or not isinstance(content.get("results"), list):
        raise foreign(text, _EXPECTED)
    entries, warnings = read_entries(content["results"], _Recall, _entry)
    return Feed(entries, title="openFDA device recalls", language="en", warnings=warnings)


def _entry(recall: _Recall) -> Entry:
    guid = recall.product_res_number or recall.cfres_id
    if not guid:
        raise ValueError("a recall without a number")
    product = recall.product_description.split("\n")[0]
    product = product if len(product) <= 120 else product[:120].rsplit(" ", 1)[0] + "…"
    parts = (
        recall.product_description,
        recall.reason_for_recall and f"Reason: {recall.reason_for_recall}",
        recall.root_cause_description and f"Root cause: {recall.root_cause_description}",
        recall.action and f"Action: {recall.action}",
    )
    page = "https://www.accessdata.fda.gov/scripts/cdrh/cfdocs/cfRES/res.cfm?id="
    return Entry(
        guid=guid,
        link=page + recall.cfres_id if recall.cfres_id.isdecimal() else "",
        title=f"Recall by {recall.recalling_firm or 'an unnamed firm'}: {product}",
        summary="\n".join(part for part in parts if part),
        published=recall.event_date_posted or recall.event_date_initiated,
        facts=Facts(vendors=(recall.recalling_firm,) if recall.recalling_firm else (), products=(product,)),
    )
