"""The demo: the spring of 2020 retold by feeds on this machine, so that the whole pipeline runs without internet.

``config/demo/`` holds the content: who publishes (``sources.yaml``) and what, in which order (``timeline.yaml``).
``script.py`` reads and checks it, ``feeds.py`` writes it as RSS and Atom, ``stage.py`` serves it and moves its clock:

    async with DemoStage(config_dir) as stage:
        poll(stage.sources)                         # every feed is empty: the baseline
        while event := stage.publish_next():        # one entry appears, or changes
            poll([stage.source_of(event)])
"""
