"""poll(source): fetch -> parse -> normalise -> take in, in order; decides nothing about advisories."""

from bot.pipeline.looking import Document, documents
from bot.pipeline.polling import Pipeline

__all__ = ["Document", "Pipeline", "documents"]
