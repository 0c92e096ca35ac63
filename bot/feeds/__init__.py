"""From a source's address to advisories: ``fetch`` -> ``parse`` -> ``normalise``.

    fetch.py        HTTP: Fetcher, Memory, Fetched, Unchanged
      addresses.py  which addresses a source may be on
      bodies.py     compression undone, within a limit
      failures.py   what went wrong on the wire, in one line
    parse.py        bytes -> Feed: parse(), sniff(), and the table of formats
      documents.py  characters, DOCTYPEs, and what a foreign document looks like
      records.py    JSON read leniently, record by record
      rss.py  jsonfeed.py  kev.py  csaf.py  nhs.py  euvd.py  openfda.py  csh.py   one format each
    normalise.py    Entry -> Advisory
      plain.py      HTML and Markdown -> plain text
      dates.py      dates as publishers write them
      titles.py     the words for "new" and "update" around a title
      statements.py CVE ids, CVSS, vendors, sectors, severities and TLP stated in prose
    identity.py     all advisories of one document: advisories()
    reading.py      parse and normalise of one document: read()
    apart.py        the same in a process of its own: Parser
      worker.py     that process

A new format is a function ``read_…(text) -> Feed`` and a line in ``parse.READERS``.
"""
