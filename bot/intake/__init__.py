"""Takes the advisories of a document into the store: what is new or changed is judged, grouped and routed."""

from bot.intake.asking import Asking
from bot.intake.taking import Intake
from bot.intake.telling import Asked, Taken

__all__ = ["Asked", "Asking", "Intake", "Taken"]
