"""Who hears of what, once, and what is kept silent with its reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.changes import read_changes
from bot.model import Advisory, Delivery, Kind, Owed, Relevance, Severity, State, Stored, Verdict
from bot.route import Arrival, Routing, Wanted, notice, route

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CHANNEL, OTHER = "slack:C1", "slack:C2"
EVERYBODY = Wanted(standing=frozenset({CHANNEL}))


def stored(number: int = 1, *, revision: int = 0, severity: Severity = Severity.MEDIUM, **fields: object) -> Stored:
    advisory = Advisory(source="a", key=str(number), title="Pump", **fields)  # type: ignore[arg-type]
    return Stored(number, advisory, Verdict(Relevance.DIRECT, (), severity), 7, revision, NOW, NOW)


def ledger(*owed: Owed, state: State = State.SENT) -> list[Delivery]:
    return [
        Delivery(
            n, o.destination, o.subject, o.kind, o.revision, state, o.due_at, o.advisory_id, o.because, o.text, 1, "r"
        )
        for n, o in enumerate(owed, 1)
    ]


def reasons(routing: Routing) -> list[str]:
    return [one.reason for one in routing.suppressed]


STORY = route(Arrival(stored()), EVERYBODY, [], NOW).owed


def revised(revision: int, **fields: object) -> Arrival:
    return Arrival(stored(revision=revision, **fields), before=stored(revision=revision - 1, summary="Old."))  # type: ignore[arg-type]


def test_a_new_story_is_owed_once_however_many_subscriptions_match() -> None:
    wanted = Wanted(frozenset({CHANNEL}), {CHANNEL: ("pump", "philips"), OTHER: ("pump",)})
    routing = route(Arrival(stored()), wanted, [], NOW)
    assert [(one.destination, one.kind, one.because) for one in routing.owed] == [
        (CHANNEL, Kind.STORY, ("pump", "philips")),
        (OTHER, Kind.STORY, ("pump",)),
    ]
    assert routing.owed[0].subject == "story:7"
    assert not routing.suppressed


def test_nothing_is_owed_without_a_reason_left_behind() -> None:
    assert reasons(route(Arrival(stored()), Wanted(), [], NOW)) == ["no channel asks for it (relevance direct)"]


def test_another_source_goes_into_the_thread_of_those_who_know() -> None:
    second = stored(2, severity=Severity.HIGH, kev=True)
    routing = route(Arrival(second, members=(stored(),)), Wanted(frozenset({OTHER})), ledger(*STORY), NOW)
    assert [(one.destination, one.kind) for one in routing.owed] == [
        (CHANNEL, Kind.CORROBORATION),
        (OTHER, Kind.STORY),
    ], "and a channel that never heard of the story gets it now"
    told = read_changes(routing.owed[0].text)
    assert [change.text for change in told if change.worse] == [
        "now known to be exploited (CISA KEV)",
        "severity up: medium → high",
    ]
    assert route(Arrival(second), EVERYBODY, ledger(*STORY, *routing.owed), NOW).owed == (), "told once"


def test_a_second_feed_of_one_organisation_tells_nothing_more_unless_it_is_worse() -> None:
    first = stored(organisation="CISA")
    again = Arrival(stored(2, organisation="Cisa"), members=(first,))
    assert "same organisation" in reasons(route(again, EVERYBODY, ledger(*STORY), NOW))[0]
    other = replace(again, stored=stored(2, organisation="NCSC"))
    assert [one.kind for one in route(other, EVERYBODY, ledger(*STORY), NOW).owed] == [Kind.CORROBORATION]
    worse = replace(again, stored=stored(2, organisation="CISA", kev=True))
    assert [one.kind for one in route(worse, EVERYBODY, ledger(*STORY), NOW).owed] == [Kind.CORROBORATION]
    fact = replace(other, states_facts=True)
    assert not route(fact, EVERYBODY, ledger(*STORY), NOW).owed, "it was told of the story itself"


def test_a_first_look_at_a_list_of_facts_reaches_only_who_has_the_story() -> None:
    known = Arrival(stored(kev=True), before=stored(), first_poll=True)
    assert "long before" in reasons(route(known, EVERYBODY, [], NOW))[0]
    assert [one.kind for one in route(known, EVERYBODY, ledger(*STORY), NOW).owed] == [Kind.REVISION]
    assert route(replace(known, first_poll=False), EVERYBODY, [], NOW).owed


def test_revisions_of_two_advisories_of_one_story_are_two_deliveries() -> None:
    first = route(revised(1, summary="New."), EVERYBODY, ledger(*STORY), NOW).owed[0]
    both = Arrival(stored(2, revision=1, summary="New."), before=stored(2, summary="Old."))
    second = route(both, EVERYBODY, ledger(*STORY), NOW).owed[0]
    assert first.kind is second.kind is Kind.REVISION
    assert first.revision != second.revision


def test_a_revision_reaches_who_has_the_story_though_it_no_longer_matches() -> None:
    owed = route(revised(1, summary="New."), Wanted(), ledger(*STORY), NOW).owed
    assert [(one.destination, one.kind) for one in owed] == [(CHANNEL, Kind.REVISION)]
    assert read_changes(owed[0].text)[0].text == "text now says: New."


def test_a_story_of_which_a_channel_never_heard_is_told_when_a_revision_first_matches() -> None:
    owed = route(revised(1, summary="Now with Philips."), Wanted(subscribed={OTHER: ("philips",)}), [], NOW).owed
    assert [(one.kind, one.because) for one in owed] == [(Kind.STORY, ("philips",))]


def test_a_publisher_who_touches_his_archive_floods_nobody() -> None:
    wanted = replace(EVERYBODY, before=frozenset({CHANNEL}))
    touched = revised(1, summary="Old. All rights reserved.")
    assert "neither worse nor newly dated" in reasons(route(touched, wanted, [], NOW))[0]
    assert route(revised(1, summary="Old.", severity=Severity.CRITICAL), wanted, [], NOW).owed
    assert route(revised(1, summary="New.", updated=NOW - DAY), wanted, [], NOW).owed
    assert not route(revised(1, summary="New.", updated=NOW - 30 * DAY), wanted, [], NOW).owed


def test_a_new_date_alone_is_silent() -> None:
    routing = route(revised(1, summary="Old.", updated=NOW), EVERYBODY, ledger(*STORY), NOW)
    assert reasons(routing) == ["only its date or white space changed"]


def test_flapping_text_is_announced_a_few_times_a_day_and_never_again_when_it_was_before() -> None:
    rows = list(STORY)
    for revision in range(1, 6):
        rows += route(revised(revision, summary=f"Text {revision}."), EVERYBODY, ledger(*rows), NOW).owed
    assert len(rows) == 4
    routing = route(revised(9, summary="Text 9."), EVERYBODY, ledger(*rows), NOW)
    assert "more than 3 times within a day" in reasons(routing)[0]
    assert route(revised(9, summary="Old.", severity=Severity.CRITICAL), EVERYBODY, ledger(*rows), NOW).owed, (
        "but worse is"
    )
    assert route(revised(9, summary="Text 9."), EVERYBODY, ledger(*rows), NOW + 2 * DAY).owed, "and so is tomorrow's"
    again = replace(revised(9, summary="Text 1.", severity=Severity.CRITICAL), told_before=True)
    assert "went back" in reasons(route(again, EVERYBODY, ledger(*rows), NOW + 2 * DAY))[0]


def test_a_fact_learned_later_is_told_once_for_a_story() -> None:
    known = [Arrival(stored(n, kev=True), before=stored(n)) for n in (1, 2)]
    one, two = (route(arrival, EVERYBODY, ledger(*STORY), NOW).owed[0] for arrival in known)
    assert (one.kind, one.text) == (Kind.REVISION, "! now known to be exploited (CISA KEV)")
    assert one.revision == two.revision, "the second is the same row of the ledger"
    calmer = Arrival(stored(cvss=5.0), before=stored())
    assert reasons(route(calmer, EVERYBODY, ledger(*STORY), NOW)) == ["facts learned later made nothing worse"]


def test_a_first_poll_is_the_baseline() -> None:
    def arrives(**fields: object) -> Routing:
        return route(Arrival(stored(**fields), first_poll=True, first_run_window=DAY), EVERYBODY, [], NOW)  # type: ignore[arg-type]

    assert reasons(arrives()) == ["was there at the first poll of its source"]
    assert reasons(arrives(published=NOW - 2 * DAY)) == ["was there at the first poll of its source"]
    assert arrives(published=NOW - DAY / 2).owed
    hurried = Arrival(stored(published=NOW + DAY / 12), first_poll=True)
    assert not route(hurried, EVERYBODY, [], NOW).owed, "no window, whatever the publisher's clock says"


def test_a_story_that_died_on_its_way_is_told_anew() -> None:
    dead = ledger(*STORY, state=State.EXPIRED)
    owed = route(Arrival(stored(2)), EVERYBODY, dead, NOW).owed
    assert [one.kind for one in owed] == [Kind.STORY]
    assert owed[0].revision != STORY[0].revision, "else the ledger would take it for the dead one"


def test_a_notice_of_one_day_is_said_once() -> None:
    assert notice(CHANNEL, "source-failing:x", "x fails", NOW).subject == "notice:source-failing:x:2026-03-10T12:00:00Z"
    assert notice(CHANNEL, "heartbeat", "all well", NOW, when="2026-03-10").subject == "notice:heartbeat:2026-03-10"
