"""Registrations that are refused, each for another reason: their bytes and their time must be the same (FAULTS B18)."""

from typing import Any

from tests.kits.sealed import OPERATOR, make_member, register_payload, split
from tests.kits.world import World

from watchword.server.operator.model import INVITE_LIFE


async def refusals(world: World) -> dict[str, Any]:
    """Registrations that are refused, each for another reason."""
    invite = await world.services.operator.invite(OPERATOR)
    spent = await world.services.operator.invite(OPERATOR)
    await make_member(world, "bert", invitation=spent.text)
    world.clock.advance(INVITE_LIFE)
    return {
        "taken": register_payload(world, "anna"),
        "taken in capitals": register_payload(world, "ANNA"),
        "taken, by e-mail": register_payload(world, "clara", email="anna@example.org"),
        "reserved": register_payload(world, "admin"),
        "confusable": register_payload(world, "paypaI"),
        "forbidden": register_payload(world, "an na"),
        "shaped like e-mail": register_payload(world, "clara@example.org"),
        "invitation unknown": register_payload(world, "clara", invitation="wiv_" + "A" * 64),
        "invitation malformed": register_payload(world, "clara", invitation="please"),
        "invitation expired": register_payload(world, "clara", invitation=invite.text),
        "invitation spent": register_payload(world, "clara", invitation=spent.text),
        "chest of another version": register_payload(
            world, "clara", chest={**register_payload(world, "x")["chest"], "version": 2}
        ),
        "weak stretching": register_payload(
            world,
            "clara",
            logins=[
                split(
                    world.client_entropy,
                    stretch={"alg": "argon2id", "memory_kib": 8, "passes": 1, "lanes": 1},
                )
            ],
        ),
        "two logins of one kind": register_payload(world, "clara", logins=[split(world.client_entropy)] * 2),
    }
