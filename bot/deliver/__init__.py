"""Sends what the ledger owes: each row marked before the call and settled after it, in order.

``platform`` declares what a chat platform must do, ``letters`` turns rows into messages, ``outcomes`` gives every
answer its consequence, ``worker`` drains one destination, ``deliverer`` runs the workers.
"""

from bot.deliver.deliverer import Deliverer
from bot.deliver.gate import Limits
from bot.deliver.outcomes import Health
from bot.deliver.platform import Platform

__all__ = ["Deliverer", "Health", "Limits", "Platform"]
