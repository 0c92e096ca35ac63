"""Chat platforms, one package each. A platform shows messages and tells what was typed; it decides nothing."""
