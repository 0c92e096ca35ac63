"""Wardwatch: security-advisory alerts for the people who defend hospitals. This page is its map.

A poll is one transaction: fetch -> parse -> normalise -> judge -> group -> route -> store. Delivery leases what is due,
composes, sends, records. A typed command becomes a query, then a reply. Pure steps take ``now``; they never read a
clock, await or log.

    errors.py       the error tree              yamlfile.py   YAML a person edits, checked, with line numbers
    model.py        the nouns                   message.py    what is said, before a platform shapes it
    text.py         the one tokeniser
    terms.py        words and phrases, as typed  phrases.py   the trie that finds very many of them
    subject.py      what a condition looks at   fields.py     tests of typed fields
    conditions.py   the condition tree          query/        the words a person types <-> a condition tree
    spans.py        places in normalised text, back in the text as written
    feeds/          bytes from anywhere -> advisories
    rules.py, lexicons.py, findings.py, nearness.py, judge.py   typed rules and lists of words -> a verdict, and why
    watch.py        thousands of conditions against one advisory
    stories.py, changes.py, route.py, watchdog.py   pure: what belongs together, got worse, goes where, fell silent
    classify.py, trial.py, quality.py               rules on JSON lines: judge, try, measure
    store/          SQL lives here: schema, migrations, a module per noun, search
    enrich.py       KEV, EPSS, CVSS: facts that arrive later
    intake/         what a document brings, into the store: judged, grouped, routed
    pipeline/       poll(source): look, take in, remember
    compose.py      stories -> messages
    deliver/        the ledger's worker; owns the Platform protocol
    rounds.py       watchdog, heartbeat, account
    commands/       what a person can ask: a function per verb
    chat/           slack/  terminal/: one package per platform
    web.py          platform endpoint, health, metrics      schedule.py   APScheduler: when things run
    settings.py     environment and .env, typed, with origins
    demo/           the spring of 2020, told by feeds on this machine
    app.py          builds everything    metrics.py   what monitoring reads
    runner.py       polls what is due, stops in time         speaking.py  where we speak, and listen
    cli/            the command line, a module per family; __main__.py calls it

A module imports only from those before it: errors, model, yamlfile < text < terms < phrases < subject, fields,
conditions, query, message, spans < feeds, the pure steps < store < enrich, intake, pipeline, compose, deliver, rounds,
commands < chat < web, schedule < settings < demo, metrics, app < runner, speaking < cli. ``tests/test_layers.py``
holds it.

One place each: a new source, rule or word is a stanza in ``config/``; a new kind of condition is a class in
``conditions.py``; a feed format is a function in ``feeds/``; a command is a function in ``commands/``; a chat platform
is a package in ``chat/``.
"""

VERSION = "0.1.0"
