"""What clients do, chosen at random."""

from collections.abc import Callable

from tests.soak import changes, uses
from tests.soak.clients import Client

_WEIGHTS: dict[Callable[[Client], None], int] = {
    uses.use: 20,
    uses.use_by_second: 10,
    uses.reencrypt: 3,
    uses.mac: 2,
    uses.sign: 2,
    uses.describe: 4,
    uses.list_keys: 1,
    uses.press: 2,
    changes.create_key: 2,
    changes.flip_state: 8,
    changes.schedule: 3,
    changes.give_grant: 5,
    changes.end_grant: 5,
    changes.flip_policy: 5,
    changes.flip_access: 3,
    changes.point_alias: 4,
    changes.rotate: 2,
    changes.tag: 4,
    changes.race: 8,
}


def act(client: Client) -> None:
    """Do something."""
    if not client.keys:
        changes.create_key(client)
        return
    (action,) = client.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    action(client)
