"""What a person can ask, platform-free: a function for each verb, a module for each family of verbs.

``dispatch`` takes what was typed and gives a ``Reply``; whatever goes wrong is a reply too.
"""

from bot.commands.asking import Ask, Context, Person, Policy, Verb
from bot.commands.dispatch import ANSWERS, dispatch
from bot.commands.verbs import VERBS

__all__ = ["ANSWERS", "VERBS", "Ask", "Context", "Person", "Policy", "Verb", "dispatch"]
