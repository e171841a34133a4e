"""The server's keys on both engines: made once, rotated with overlap, seen by every node, and kept secret."""

import asyncio
import base64
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from watchword.core.clock import DAY, HOUR, MINUTE, SECOND, Instant
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.aead import key_version_of, open_at_rest
from watchword.crypto.hpke import Suite
from watchword.crypto.keyring import DataKeyPurpose, DataKeys, RootKey
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import (
    ConflictError,
    DamagedError,
    InvalidConfigError,
    KeyUnknownError,
    NotFoundError,
    UnavailableError,
)
from watchword.protocol.keydocument import KeyDocument, verify_key_document
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.keys import KeyService, RootKeys
from watchword.server.keys.changes import Change, KeyChanges
from watchword.server.keys.live import LiveKeys
from watchword.server.keys.model import DATA_KEY_REFUSALS, StoredKeys
from watchword.server.keys.sql import SqlKeyStore
from watchword.testing import FixedClock, SeededEntropy
from watchword.testing.counts import count
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio

ORIGIN = "https://id.example.org"
NAMES = ("localhost", "127.0.0.1")
ROTATING = [purpose for purpose, refusal in DATA_KEY_REFUSALS.items() if not refusal]
REFUSED = [purpose for purpose, refusal in DATA_KEY_REFUSALS.items() if refusal]


@dataclass
class Node:
    """One server's view: its database connection, its clock, its audit chain."""

    database: AuditedDatabase
    directory: Path
    clock: FixedClock = field(default_factory=FixedClock)
    name: str = "a"
    chain: AuditChain | None = None
    readied: list[tuple[int, ...]] = field(default_factory=list)

    async def ready(self, data: DataKeys) -> None:
        key = data.current(DataKeyPurpose.AUDIT)
        self.readied.append(data.versions(DataKeyPurpose.AUDIT))
        if self.chain is None:
            head = ChainHead(seq=0, mac=bytes(32))
            self.chain = AuditChain(node=self.name, key=key, head=head, entropy=SystemEntropy())
            self.database.use_audit(self.chain)
        self.chain.use_key(key)

    def roots(self) -> RootKeys:
        return RootKeys.find(self.directory / "root.key", {}, SystemEntropy())

    async def start(self, *, roots: RootKeys | None = None, names: tuple[str, ...] = NAMES) -> KeyService:
        return await KeyService.open(
            self.database, roots or self.roots(), self.clock, SystemEntropy(), ORIGIN,
            tls_names=names, ready=self.ready,
        )  # fmt: skip


@pytest.fixture
def node(database: AuditedDatabase, tmp_path: Path) -> Node:
    return Node(database, tmp_path)


def _published(keys: KeyService) -> dict[str, TokenVerifyingKey]:
    members = decode_json(keys.jwks())["keys"]
    return {member["kid"]: TokenVerifyingKey.from_jwk(member) for member in members}


def _document(keys: KeyService, now: Instant, at_least: int = 1) -> KeyDocument:
    return verify_key_document(keys.key_document(), pin=keys.root_fingerprint(), now=now, at_least=at_least)


async def _audited(database: AuditedDatabase) -> list[dict[str, str]]:
    rows = await database.fetch_all(
        "select facts from audit_entries where tag = 'operator:keys:rotate' order by node, seq", {}
    )
    return [decode_json(str(row[0]).encode()) for row in rows]


async def _uses(database: AuditedDatabase) -> list[tuple[str, str]]:
    return [(facts["use"], facts["action"]) for facts in await _audited(database)]


async def _stored(database: AuditedDatabase) -> StoredKeys:
    stored = await SqlKeyStore(database).load()
    assert stored is not None
    return stored


async def test_the_first_start_makes_everything_and_the_next_loads_the_same(node):
    first = await node.start()
    second = await node.start()
    assert second.jwks() == first.jwks()
    assert second.key_document() == first.key_document()
    assert second.server_tls() == first.server_tls()
    assert second.root_certificate() == first.root_certificate()
    assert second.signing_key.to_private_bytes() == first.signing_key.to_private_bytes()
    for suite in Suite:
        assert second.current_sealing(suite).key.seed() == first.current_sealing(suite).key.seed()
    for purpose in DataKeyPurpose:
        assert second.data.current(purpose) == first.data.current(purpose)
    assert await _uses(node.database) == [("all", "made"), ("tls", "issued")]


async def test_what_the_first_start_made_works(node):
    keys = await node.start()
    document = _document(keys, node.clock.now())
    assert (document.number, document.issuer) == (1, ORIGIN)
    for suite in Suite:
        current = document.current_sealing(suite)
        assert current is not None
        sealed = current.key.seal(b"hello", info=b"i")
        assert keys.sealing_key(current.kid).open(sealed, info=b"i") == b"hello"
    signature = keys.signing_key.sign(b"token")
    _published(keys)[keys.signing_key.kid].verify(signature, b"token")
    assert [key.kid for key in document.signing] == list(_published(keys))


async def test_two_first_starts_at_once_on_one_connection_make_one_set_of_keys(node):
    await _start_at_once([node, node])


async def test_two_nodes_that_start_at_once_make_one_set_of_keys(postgres_url, tmp_path):
    async with opened(postgres_url) as one, opened(postgres_url) as two:
        await _start_at_once([Node(one, tmp_path, name="a"), Node(two, tmp_path, name="b")])


async def _start_at_once(nodes: list[Node]) -> None:
    services = await asyncio.gather(*(node.start() for node in nodes))
    assert len({keys.root_fingerprint() for keys in services}) == 1
    assert len({keys.jwks() for keys in services}) == 1
    purposes = [keys.data.current(DataKeyPurpose.PEPPER) for keys in services]
    assert purposes[0] == purposes[1]
    assert [use for use in await _uses(nodes[0].database) if use == ("all", "made")] == [("all", "made")]


async def test_fault_M7_a_wrong_root_key_is_recognised_and_loses_nothing(node):
    keys = await node.start()
    before = await _stored(node.database)
    wrong = RootKeys.of(RootKey.generate(SeededEntropy("wrong")), SystemEntropy())
    with pytest.raises(InvalidConfigError, match="this root key does not belong to this data"):
        await node.start(roots=wrong)
    assert await _stored(node.database) == before
    assert (await node.start()).jwks() == keys.jwks()


async def test_fault_M7_a_lost_root_key_file_is_not_made_anew(node):
    await node.start()
    path = node.directory / "root.key"
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(InvalidConfigError, match="is missing"):
        await node.start()
    assert not path.exists()
    path.write_bytes(kept)
    path.chmod(0o600)
    await node.start()


async def test_fault_H16_a_root_key_file_for_others_stops_the_start(node):
    await node.start()
    (node.directory / "root.key").chmod(0o644)
    with pytest.raises(InvalidConfigError, match="mode 0644"):
        await node.start()


async def test_fault_H16_an_ended_authority_stops_the_start_and_not_the_running_server(node):
    keys = await node.start()
    node.clock.jump(21 * 365 * DAY)
    await keys.tick()
    with pytest.raises(InvalidConfigError, match="the certificate authority ended at"):
        await node.start()
    node.clock.jump(-21 * 365 * DAY)
    await node.start()


async def test_a_new_signing_key_is_seen_before_it_signs_and_the_old_until_its_tokens_end(node):
    keys = await node.start()
    old = keys.signing_key.kid
    await keys.rotate("signing")
    assert keys.signing_key.kid == old
    (new,) = set(_published(keys)) - {old}
    node.clock.advance(10 * MINUTE - 1)
    await keys.tick()
    assert keys.signing_key.kid == old
    node.clock.advance(1)
    await keys.tick()
    assert keys.signing_key.kid == new
    node.clock.advance(11 * MINUTE)
    await keys.tick()
    assert set(_published(keys)) == {old, new}
    node.clock.advance(2 * MINUTE)
    await keys.tick()
    assert set(_published(keys)) == {new}
    assert {key.kid for key in _document(keys, node.clock.now()).signing} == {new}


async def test_a_retired_signing_key_verifies_old_checkpoints_and_is_not_published(node):
    keys = await node.start()
    old = keys.signing_key
    signature = old.sign(b"checkpoint")
    await keys.rotate("signing", at_once=True)
    node.clock.advance(DAY)
    await keys.tick()
    await keys.rotate("data:at_rest")
    assert old.kid not in _published(keys)
    assert old.kid not in keys.key_document()
    for service in (keys, await node.start()):
        service.verifying_key(old.kid).verify(signature, b"checkpoint")
        with pytest.raises(KeyUnknownError):
            service.verifying_key("never-ours")
    (kept,) = [key for key in (await _stored(node.database)).keys if key.kid == old.kid]
    opened_record = open_at_rest(
        kept.sealed,
        keys.data.reader(DataKeyPurpose.AT_REST),
        table="server_keys",
        row=old.kid,
        purpose="public-key",
    )
    assert b'"d"' not in opened_record
    assert decode_json(opened_record) == old.public.to_jwk()


async def test_an_emergency_rotation_ends_every_older_signing_key_and_hastens_a_waiting_one(node):
    keys = await node.start()
    first = keys.signing_key
    await keys.rotate("signing", at_once=True)
    second = keys.signing_key
    await _only_signs(node, keys, second.kid, ended={first.kid})
    await keys.rotate("signing")
    with pytest.raises(ConflictError, match="published already"):
        await keys.rotate("signing")
    (waiting,) = set(_published(keys)) - {second.kid}
    await keys.rotate("signing", at_once=True)
    assert keys.signing_key.kid == waiting
    await _only_signs(node, keys, waiting, ended={first.kid, second.kid})
    for old in (first, second):
        keys.verifying_key(old.kid).verify(old.sign(b"checkpoint"), b"checkpoint")


async def _only_signs(node: Node, keys: KeyService, kid: str, *, ended: set[str]) -> None:
    """`kid` alone is published and believed, here and after a new start; of the ended ones the public half is left."""
    for service in (keys, await node.start()):
        assert set(_published(service)) == {kid}
        assert {key.kid for key in service.verification_keys} == {kid}
        assert {key.kid for key in _document(service, node.clock.now()).signing} == {kid}
    rows = {key.kid: key.sealed for key in (await _stored(node.database)).keys}
    for old in ended:
        record = open_at_rest(
            rows[old],
            keys.data.reader(DataKeyPurpose.AT_REST),
            table="server_keys",
            row=old,
            purpose="public-key",
        )
        assert b'"d"' not in record


@pytest.mark.parametrize("seed", range(count(2, 40)))
async def test_a_token_verifies_to_its_end_unless_an_emergency_ends_its_key(node, seed):
    """Random rotations, ticks and delays; a token signed by any node, a moment ago or up to its end, verifies."""
    keys = await node.start()
    other = await node.start()
    chance = random.Random(seed)
    alive: list[tuple[Instant, str, bytes]] = []
    for step in range(count(25, 200)):
        node.clock.advance(chance.choice([0, 1, SECOND, MINUTE, 5 * MINUTE, chance.randrange(HOUR)]))
        for each in (keys, other):
            await each.tick()
        if chance.random() < 0.4:
            at_once = chance.random() < 0.3
            rotating = chance.choice([keys, other])
            try:
                await rotating.rotate("signing", at_once=at_once)
            except ConflictError:
                assert not at_once
                assert len(_published(keys)) >= 2
            if at_once:
                alive = []
                for each in (keys, other):  # until it looks, a node signs what is no good any more
                    await each.reload_if_changed()
                    assert set(_published(each)) == {rotating.signing_key.kid}
        for each in (keys, other):
            message = f"token {step}".encode()
            signed = each.signing_key.sign(message)
            alive.append((Instant(node.clock.now() + 11 * MINUTE), each.signing_key.kid, message + signed))
        alive = [token for token in alive if node.clock.now() < token[0]]
        await keys.reload_if_changed()
        published = _published(keys)
        for _, kid, token in alive:
            published[kid].verify(token[-64:], token[:-64])


async def test_fault_C17_the_previous_sealing_key_opens_for_its_grace_and_not_a_moment_longer(node):
    keys = await node.start()
    old = {suite: keys.current_sealing(suite) for suite in Suite}
    await keys.rotate("sealing")
    for suite in Suite:
        assert keys.current_sealing(suite).kid != old[suite].kid
        assert keys.sealing_key(old[suite].kid).seed() == old[suite].key.seed()
    assert {key.kid for key in _document(keys, node.clock.now()).sealing} >= {
        each.kid for each in old.values()
    }
    node.clock.advance(DAY - 1)
    assert keys.sealing_key(old[Suite.HYBRID].kid)
    node.clock.advance(1)
    for suite in Suite:
        with pytest.raises(KeyUnknownError):
            keys.sealing_key(old[suite].kid)
    await keys.tick()
    kept = await _stored(node.database)
    assert not {each.kid for each in old.values()} & {key.kid for key in kept.keys}
    assert len(_document(keys, node.clock.now(), 3).sealing) == 2


async def test_fault_C17_a_sealing_key_rotated_at_once_opens_nothing_more(node):
    keys = await node.start()
    old = keys.current_sealing(Suite.HYBRID).kid
    await keys.rotate("sealing", at_once=True)
    with pytest.raises(KeyUnknownError):
        keys.sealing_key(old)


@pytest.mark.parametrize(
    "kid", ["", "x", "../../root.key", "/etc/passwd", "%2e%2e", "a" * 10_000, "\0", "é", "' or 1=1"]
)
async def test_fault_C17_a_key_id_that_is_none_of_ours_is_unknown(node, kid):
    keys = await node.start()
    with pytest.raises(KeyUnknownError):
        keys.sealing_key(kid)
    with pytest.raises(KeyUnknownError):
        await keys.find_sealing_key(kid)


async def test_another_nodes_rotation_is_seen_by_an_unknown_key_id_but_not_asked_for_too_often(node):
    ours = await node.start()
    theirs = await node.start()
    node.clock.advance(5 * SECOND)
    await theirs.rotate("sealing")
    new = theirs.current_sealing(Suite.HYBRID).kid
    assert (await ours.find_sealing_key(new)).public == theirs.current_sealing(Suite.HYBRID).key.public
    await theirs.rotate("sealing")
    newest = theirs.current_sealing(Suite.HYBRID).kid
    node.clock.advance(5 * SECOND - 10)
    with pytest.raises(KeyUnknownError):
        await ours.find_sealing_key(newest)
    node.clock.advance(10)
    assert (await ours.find_sealing_key(newest)).suite is Suite.HYBRID


async def test_another_nodes_changes_are_seen_by_a_tick(node):
    ours = await node.start()
    theirs = await node.start()
    for use in ("signing", "sealing", "root", *(f"data:{purpose}" for purpose in ROTATING)):
        await theirs.rotate(use)
    for _ in range(4):
        await theirs.rotate("signing", at_once=True)
    await ours.tick()
    assert ours.jwks() == theirs.jwks()
    assert ours.key_document() == theirs.key_document()
    for purpose in DataKeyPurpose:
        assert ours.data.current(purpose) == theirs.data.current(purpose)
    assert not await ours.reload_if_changed()


async def test_rotations_of_two_nodes_at_once_all_happen(node):
    ours, theirs = await node.start(), await node.start()
    await asyncio.gather(ours.rotate("sealing"), theirs.rotate("sealing"), ours.rotate("data:sign_in"))
    await ours.tick()
    await theirs.tick()
    assert ours.key_document() == theirs.key_document()
    assert len(_document(ours, node.clock.now()).sealing) == 6
    assert ours.data.versions(DataKeyPurpose.SIGN_IN) == (1, 2)


@pytest.mark.parametrize("purpose", ROTATING)
async def test_a_data_key_gets_a_version_and_the_old_one_still_reads(node, purpose):
    keys = await node.start()
    first = keys.data.current(purpose)
    await keys.rotate(f"data:{purpose}")
    assert keys.data.versions(purpose) == (1, 2)
    assert keys.data.current(purpose).version == 2
    assert keys.data.get(purpose, 1) == first.key
    again = await node.start()
    assert again.data.current(purpose) == keys.data.current(purpose)
    assert again.data.get(purpose, 1) == first.key


@pytest.mark.parametrize("purpose", REFUSED)
async def test_a_data_key_that_never_rotates_online_says_why(node, purpose):
    keys = await node.start()
    before = await _stored(node.database)
    with pytest.raises(ConflictError, match="rotate"):
        await keys.rotate(f"data:{purpose}")
    assert await _stored(node.database) == before


@pytest.mark.parametrize("use", ["", "data:", "data:nothing", "signing ", "ROOT", "sealing:x"])
async def test_an_unknown_use_is_not_found(node, use):
    keys = await node.start()
    with pytest.raises(NotFoundError):
        await keys.rotate(use)


async def test_a_new_audit_key_is_told_before_it_is_used(node):
    keys = await node.start()
    await keys.rotate("data:audit")
    assert node.readied[0] == (1,)
    assert node.readied[-1] == (1, 2)
    await keys.rotate("sealing")
    versions = await node.database.fetch_all("select key_version from audit_entries order by seq", {})
    assert [row[0] for row in versions][:3] == [1, 1, 1]
    assert {row[0] for row in versions[3:]} == {2}


async def test_a_new_at_rest_key_seals_every_private_key_again(node):
    keys = await node.start()
    before = await _stored(node.database)
    await keys.rotate("data:at_rest")
    after = await _stored(node.database)
    assert {key_version_of(key.sealed) for key in after.keys} == {2}
    assert {key_version_of(each.sealed) for each in after.certificates} == {2}
    assert after.document == before.document
    assert (await node.start()).signing_key.kid == keys.signing_key.kid
    assert ("data:at_rest", "resealed") in await _uses(node.database)


async def test_sealing_again_that_was_cut_off_is_finished_by_the_next_start(node: Node) -> None:
    keys = await node.start()

    def add(live: LiveKeys, now: Instant) -> Change:
        root = node.roots().for_first_start()
        changes: KeyChanges = keys._changes
        return changes.add_data_key(live, DataKeyPurpose.AT_REST, root, now=now)

    await keys._change(add)  # and no more: as if the machine stopped here
    assert {key_version_of(key.sealed) for key in (await _stored(node.database)).keys} == {1}
    again = await node.start()
    assert {key_version_of(key.sealed) for key in (await _stored(node.database)).keys} == {2}
    assert again.signing_key.kid == keys.signing_key.kid


async def test_a_new_root_key_wraps_the_same_data_keys(node):
    keys = await node.start()
    path = node.directory / "root.key"
    old_file, before = path.read_bytes(), await _stored(node.database)
    await keys.rotate("root")
    after = await _stored(node.database)
    assert path.read_bytes() != old_file
    assert [each.name for each in node.directory.iterdir() if each.name.startswith("root")] == ["root.key"]
    assert not {key.wrapped for key in before.data_keys} & {key.wrapped for key in after.data_keys}
    assert (after.keys, after.certificates, after.document) == (
        before.keys,
        before.certificates,
        before.document,
    )
    again = await node.start()
    for purpose in DataKeyPurpose:
        assert again.data.current(purpose) == keys.data.current(purpose)
    path.write_bytes(old_file)
    with pytest.raises(InvalidConfigError, match="does not belong"):
        await node.start()


async def test_a_root_rotation_cut_off_before_the_table_keeps_the_old_key(node):
    keys = await node.start()
    stored = await _stored(node.database)
    node.roots().stage(stored.root_check)  # the new file is there, the table not yet wrapped under it
    again = await node.start()
    assert again.jwks() == keys.jwks()
    await again.rotate("root")
    assert (await node.start()).jwks() == keys.jwks()


async def test_a_root_rotation_cut_off_after_the_table_finishes_with_the_new_key(node):
    keys = await node.start()
    path = node.directory / "root.key"
    old_file = path.read_bytes()
    await keys.rotate("root")
    new_file = path.read_bytes()
    path.rename(path.with_name("root.key.next"))  # as it was between the commit and the renaming
    path.write_bytes(old_file)
    path.chmod(0o600)
    again = await node.start()
    assert again.jwks() == keys.jwks()
    assert path.read_bytes() == new_file
    assert not path.with_name("root.key.next").exists()


async def test_the_tls_certificate_is_renewed_at_two_thirds_of_its_life(node):
    keys, told = await node.start(), []
    first = keys.server_tls()
    keys.on_new_tls = lambda: told.append(keys.server_tls())
    node.clock.advance(59 * DAY)
    await keys.tick()
    assert (told, keys.server_tls()) == ([], first)
    node.clock.advance(2 * DAY)
    await keys.tick()
    assert told == [keys.server_tls()] != [first]
    await keys.tick()
    assert len(told) == 1


async def test_other_names_get_another_certificate_and_the_same_names_the_same(node):
    first = (await node.start()).server_tls()
    assert (await node.start(names=("127.0.0.1", "localhost"))).server_tls() == first
    other = await node.start(names=("id.example.org",))
    assert other.server_tls() != first
    assert (await node.start()).server_tls() == first
    with pytest.raises(InvalidConfigError, match="not a host name"):
        await node.start(names=("*.example.org",))


async def test_a_tls_certificate_can_be_renewed_on_demand_and_goes_when_it_has_ended(node):
    keys, told = await node.start(), []
    first = keys.server_tls()
    keys.on_new_tls = lambda: told.append(keys.server_tls())
    await keys.rotate("tls")
    assert told == [keys.server_tls()] != [first]
    other = await node.start(names=("id.example.org",))
    node.clock.advance(91 * DAY)
    await other.tick()
    assert len([line for line in other.status() if line.use == "tls"]) == 1


async def test_without_names_there_is_no_tls_certificate(node):
    keys = await node.start(names=())
    with pytest.raises(NotFoundError):
        keys.server_tls()


async def test_the_document_stays_fresh_and_its_number_only_grows(node):
    keys = await node.start()
    last = 0
    for _ in range(40):
        node.clock.advance(30 * DAY)
        await keys.tick()
        document = _document(keys, node.clock.now(), max(last, 1))
        assert document.number > last
        last = document.number


async def test_another_origin_is_another_document(node):
    await node.start()
    keys = await KeyService.open(
        node.database, node.roots(), node.clock, SystemEntropy(), "https://other.example", ready=node.ready
    )
    document = _document(keys, node.clock.now(), 2)
    assert document.issuer == "https://other.example"


@pytest.mark.parametrize("seed", range(count(1, 10)))
async def test_fault_M15_keys_survive_every_jump_of_the_clock(node, seed):
    keys = await node.start()
    chance = random.Random(seed)
    home = node.clock.now()
    jumps = [
        -HOUR,
        HOUR,
        -DAY,
        DAY,
        3652 * DAY,
        2_147_483_648_000 - home,
        253_402_300_799_000 - home,
        -home,
        0,
    ]
    for jump in chance.sample(jumps, len(jumps)):
        node.clock.jump(home + jump - node.clock.now())
        await keys.tick()
        for use in ("signing", "sealing"):
            try:
                await keys.rotate(use)
            except ConflictError:
                continue
        token = keys.signing_key.sign(b"x")
        _published(keys)[keys.signing_key.kid].verify(token, b"x")
    node.clock.jump(home - node.clock.now())
    await keys.tick()
    again = await node.start()
    assert _document(again, home).number == keys.document_number
    assert again.signing_key.kid == keys.signing_key.kid


async def test_every_change_is_audited_in_its_own_unit(node):
    keys = await node.start()
    for use in ("signing", "sealing", "root", "tls", "data:sign_in"):
        before = len(await _audited(node.database))
        version = (await _stored(node.database)).version
        await keys.rotate(use)
        facts = (await _audited(node.database))[before:]
        assert facts, use
        assert (await _stored(node.database)).version == version + 1
        assert {each["use"].partition("-")[0] for each in facts} == {use}
    node.clock.advance(2 * DAY)
    await keys.tick()
    assert ("signing", "current") in await _uses(node.database)
    assert ("sealing-hybrid", "gone") in await _uses(node.database)


async def test_a_change_that_is_not_committed_did_not_happen(node):
    keys = await node.start()
    before = (keys.jwks(), keys.key_document(), keys.current_sealing(Suite.HYBRID).kid)
    stored = await _stored(node.database)
    await node.database.close()
    for use in ("signing", "sealing", "root", "tls", "data:at_rest"):
        with pytest.raises(UnavailableError):
            await keys.rotate(use)
    with pytest.raises(UnavailableError):
        await keys.tick()
    assert (keys.jwks(), keys.key_document(), keys.current_sealing(Suite.HYBRID).kid) == before
    assert keys.data.versions(DataKeyPurpose.AT_REST) == (1,)
    assert stored.root_check == keys._live.stored.root_check


@pytest.mark.parametrize("table", ["server_keys", "server_certificates", "data_keys"])
async def test_a_changed_record_is_damage_and_says_no_secret(node, table):
    await node.start()
    column = "wrapped" if table == "data_keys" else "sealed"
    row = await node.database.fetch_one(f"select {column} from {table} limit 1", {})
    assert row is not None
    assert isinstance(row[0], bytes)
    spoiled = row[0][:-1] + bytes([row[0][-1] ^ 1])
    unit = Unit(b"keys")
    unit.add(f"update {table} set {column} = :new where {column} = :old", {"new": spoiled, "old": row[0]})
    await node.database.commit(unit)
    with pytest.raises(DamagedError):
        await node.start()


async def test_two_private_keys_that_changed_places_are_damage(node):
    await node.start()
    rows = await node.database.fetch_all("select kid, sealed from server_keys where lane <> 'signing'", {})
    unit = Unit(b"keys")
    for (kid, _), (_, sealed) in zip(rows, reversed(rows), strict=True):
        unit.add("update server_keys set sealed = :sealed where kid = :kid", {"sealed": sealed, "kid": kid})
    await node.database.commit(unit)
    with pytest.raises(DamagedError):
        await node.start()


async def test_status_names_every_key_and_shows_none(node):
    keys = await node.start()
    await keys.rotate("signing")
    lines = keys.status()
    uses = [line.use for line in lines]
    assert uses.count("signing") == 2
    assert {f"data:{purpose.value}" for purpose in DataKeyPurpose} <= set(uses)
    assert {"tls", "certificate:root", "certificate:intermediate", "certificate:document_signer"} <= set(uses)
    shown = repr(lines)
    for spelling in _spellings(keys):
        assert spelling.decode("latin-1") not in shown


def _secrets(keys: KeyService) -> list[Secret]:
    """Every private or symmetric key that the service holds: for EC keys the bare scalar too."""
    live = keys._live
    issued = [live.authority.root, live.authority.intermediate, live.signer, *live.tls.values()]
    pkcs8 = [*(each.key for each in issued), keys.signing_key.to_private_bytes()]
    scalars = [Secret(key.reveal()[36:68]) for key in pkcs8]
    data = [
        keys.data.get(purpose, version)
        for purpose in DataKeyPurpose
        for version in keys.data.versions(purpose)
    ]
    assert keys._root is not None
    return [
        *pkcs8,
        *scalars,
        *data,
        *(each.key.seed() for each in live.sealing.values()),
        keys._root.secret(),
    ]


def _spellings(keys: KeyService) -> list[bytes]:
    found: list[bytes] = []
    for secret in _secrets(keys):
        value = secret.reveal()
        hexed = value.hex().encode()
        found += [
            value,
            hexed,
            hexed.upper(),
            encode_b64u(value).encode(),
            base64.b64encode(value).rstrip(b"="),
        ]
    return found


async def test_fault_E32_what_is_published_holds_public_members_only(node):
    keys = await node.start()
    for use in ("signing", "sealing", "root", "data:at_rest"):
        await keys.rotate(use)
    members = decode_json(keys.jwks())["keys"]
    assert len(members) == 2
    assert all(set(member) == {"kty", "crv", "x", "y", "kid", "alg", "use"} for member in members)
    payload = decode_json(decode_b64u(keys.key_document().split(".")[1]))
    assert all(set(entry) == {"kid", "suite", "public", "state"} for entry in payload["sealing"])
    assert payload["jwks"]["keys"] == members
    parts = b"".join(decode_b64u(part) for part in keys.key_document().split("."))
    published = keys.jwks() + keys.key_document().encode() + parts + keys.root_certificate()
    for spelling in _spellings(keys):
        assert spelling not in published


async def test_fault_N1_no_private_key_lies_in_the_clear_on_the_disk(sqlite_path, tmp_path):
    async with opened(sqlite_path) as database:
        node = Node(database, tmp_path)
        keys = await node.start()
        for use in ("signing", "sealing", "root", "data:at_rest", "tls"):
            await keys.rotate(use)
        while_open = _contents(sqlite_path.parent)
    at_rest = _contents(sqlite_path.parent)
    for spelling in _spellings(keys):
        assert spelling not in while_open
        assert spelling not in at_rest
    assert keys.signing_key.kid.encode() in at_rest  # the search looks where the keys are


def _contents(directory: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(directory.rglob("*")) if each.is_file())


async def test_fault_N1_no_error_or_repr_shows_a_key(node):
    keys = await node.start()
    shown = f"{keys!r} {keys.data!r} {keys.server_tls()!r} {keys.signing_key!r} {keys._live!r} {keys._root!r}"
    for spelling in _spellings(keys):
        assert spelling.decode("latin-1") not in shown
        assert repr(spelling)[2:-1] not in shown
