"""Roles: from metadata, from words with a confidence, else unknown."""

import hashlib
import json
import random
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmline.language import party_reader
from warmline.language.windows import adapter_file
from warmline.models.engines import Engines
from warmline.phrases import broken_examples
from warmline.settings import Settings, TurnSettings
from warmline.turns.roles import assign_roles, behaves_like_the_agent, role_languages, role_rules
from warmline.values import CallMetadata, ChannelCopy, ChannelLayout, Role, RoleName, Turn

CALLS = Path(__file__).parents[2] / "shared" / "data" / "calls" / "harper"
STEREO = ChannelLayout("stereo", 2, 0.1, "two voices")
MONO = ChannelLayout("mono", 1, None, "one channel")
NOTHING_KNOWN = CallMetadata("call-1")


def turns_of(*said: tuple[str, str]) -> tuple[Turn, ...]:
    return tuple(
        Turn(2.0 * i, 2.0 * i + 1.5, i, party, RoleName.UNKNOWN, text, len(text.split()), 1.5)
        for i, (party, text) in enumerate(said)
    )


def roles_of(
    *said: tuple[str, str], parties: tuple[str, ...] = ("A", "B"), **known: object
) -> dict[str, Role]:
    metadata = replace(NOTHING_KNOWN, **known)
    assigned = assign_roles(turns_of(*said), parties, MONO, metadata, TurnSettings())
    return {role.party: role for role in assigned}


def names_of(roles: dict[str, Role]) -> list[str]:
    return [role.name.value for role in roles.values()]


@pytest.mark.parametrize("language", role_languages())
def test_every_rule_does_what_its_examples_say(language: str) -> None:
    rules = role_rules(language)
    broken = {rule.id: broken_examples(rule, m.find, language) for rule, m in rules}
    assert {name: wrong for name, wrong in broken.items() if wrong} == {}
    assert len({rule.id for rule, _ in rules}) == len(rules) >= 19


OPENINGS = {
    "de": (
        ("A", "Kundenservice Nordstrom, guten Tag, mein Name ist Lang, was kann ich für Sie tun?"),
        (
            "B",
            "Guten Tag, meine Rechnung ist doppelt so hoch wie sonst, das kann doch nicht sein.",
        ),
        ("A", "Darf ich bitte Ihre Kundennummer haben?"),
    ),
    "es": (
        ("A", "Buenos días, le atiende Marta, ¿en qué puedo ayudarle?"),
        ("B", "Mire, mi paquete no ha llegado y ya es la segunda vez que llamo."),
        ("A", "¿Me puede decir su número de pedido, por favor?"),
    ),
    "fr": (
        ("A", "Service client, bonjour, en quoi puis-je vous aider ?"),
        ("B", "Bonjour, j'appelle parce que ma carte ne marche plus depuis hier."),
        ("A", "Pouvez-vous me donner votre numéro de compte ? Ne quittez pas."),
    ),
    "it": (
        ("A", "Servizio clienti buongiorno, sono Paola, come posso aiutarla?"),
        ("B", "Buongiorno, chiamo perché la mia bolletta è sbagliata."),
        ("A", "Mi può dare il codice cliente? Un attimo che verifico."),
    ),
    "nl": (
        ("A", "Goedemorgen, u spreekt met Karin van de klantenservice, waarmee kan ik u helpen?"),
        ("B", "Ik bel omdat mijn bestelling nog steeds niet is aangekomen."),
        ("A", "Mag ik uw postcode en huisnummer?"),
    ),
    "pt": (
        ("A", "Bom dia, obrigado por ligar, em que posso ajudar?"),
        ("B", "Bom dia, a minha encomenda não chegou e eu já paguei."),
        ("A", "Pode dizer-me o número da encomenda? Um momento, por favor."),
    ),
}


@pytest.mark.parametrize("language", OPENINGS)
def test_roles_are_told_in_other_languages(language: str) -> None:
    said = turns_of(*OPENINGS[language])
    roles = assign_roles(said, ("A", "B"), MONO, NOTHING_KNOWN, TurnSettings(), language)
    assert [role.name for role in roles] == [RoleName.AGENT, RoleName.CUSTOMER]
    assert all(0.6 <= role.confidence <= 1.0 for role in roles)
    as_english = assign_roles(said, ("A", "B"), MONO, NOTHING_KNOWN, TurnSettings(), "en")
    assert RoleName.UNKNOWN in {role.name for role in as_english}


def test_a_language_without_role_words_leaves_the_roles_unknown_with_the_reason() -> None:
    said = turns_of(*OPENINGS["nl"])
    roles = assign_roles(said, ("A", "B"), MONO, NOTHING_KNOWN, TurnSettings(), "fi")
    assert {role.name for role in roles} == {RoleName.UNKNOWN}
    assert "no role words are known in 'fi' (in en, de, es, fr, it, nl, pt)" in roles[0].reason


def test_a_plain_telling_of_trouble_and_plain_questions_tell_the_roles() -> None:
    roles = roles_of(
        ("A", "Returns desk, this is Amy."),
        ("B", "I've been waiting for weeks for my sofa and nobody tells me why."),
        ("A", "Which order is it for? I'll check that for you."),
        ("B", "It still hasn't arrived, and I paid for delivery."),
    )
    assert names_of(roles) == ["agent", "customer"]


def test_who_opens_leans_the_other_way_when_the_firm_calls() -> None:
    said = turns_of(("A", "Hello?"), ("B", "Hello there."))
    assert behaves_like_the_agent(said, "A", "B", "inbound") > 0
    assert behaves_like_the_agent(said, "A", "B", "outbound") < 0
    assert behaves_like_the_agent(said, "A", "B", None) == -behaves_like_the_agent(
        said, "B", "A", None
    )


INBOUND = [
    [
        ("A", "good morning thanks for calling Lakeside Dental this is Fiona how may I help"),
        ("B", "yeah hi um I'm calling because I need to move my appointment"),
        ("A", "no problem can I get your last name please"),
    ],
    [
        ("B", "hello"),
        ("A", "Hi, I have a question about my gas bill, it's way too high this month."),
        ("B", "Certainly, can I take your account number?"),
        ("A", "It's 4 4 1 2."),
        ("B", "Thank you for holding. Is there anything else I can help you with?"),
        ("A", "No, that's all, thanks for your help."),
    ],
    [
        (
            "A",
            "you're speaking with Raj in claims for security can you confirm your postcode",
        ),
        ("B", "yes it's NG5 my car was hit in a car park"),
        ("A", "I'll transfer you to our repair team bear with me one moment please"),
    ],
]


@pytest.mark.parametrize("call", INBOUND)
def test_service_calls_tell_agent_from_customer(call: list[tuple[str, str]]) -> None:
    agent = "B" if call[0] == ("B", "hello") else "A"
    roles = roles_of(*call)
    assert roles[agent].name is RoleName.AGENT
    assert roles["AB".replace(agent, "")].name is RoleName.CUSTOMER
    assert all(0.6 <= role.confidence <= 1.0 for role in roles.values())
    assert "agent." in roles[agent].reason
    assert all(role.source == "words" for role in roles.values())


def test_an_outbound_call_is_told_by_who_calls_out() -> None:
    call = [
        ("A", "Hello?"),
        ("B", "Hi, am I speaking with Mrs Okafor? This is Dana from Northline Energy."),
        ("A", "Speaking."),
        ("B", "I'm calling to let you know about your meter reading. Is this a good time?"),
        ("A", "I'm not interested, how did you get my number?"),
    ]
    assert names_of(roles_of(*call, direction="outbound")) == ["customer", "agent"]


def test_what_other_conversations_say_leaves_the_roles_unknown() -> None:
    roles = roles_of(
        ("A", "So how was the match last night?"),
        ("B", "Oh it was great, you should have come, my brother was there too."),
        ("A", "I know, I had to work, maybe next time."),
    )
    assert names_of(roles) == ["unknown", "unknown"]
    assert "nothing was said" in roles["A"].reason


def test_weak_or_contradicting_words_leave_the_roles_unknown_with_the_reason() -> None:
    weak = roles_of(("A", "Can I check my account?"), ("B", "Your my friend."))
    both = roles_of(
        ("A", "Thank you for calling, how can I help you?"),
        ("B", "Thank you for calling, how can I help you?"),
    )
    for roles in (weak, both):
        assert names_of(roles) == ["unknown", "unknown"]
        assert "below turns.min_role_confidence = 0.60" in roles["A"].reason


def test_the_threshold_is_a_setting() -> None:
    said = turns_of(("A", "Thank you for calling, how can I help?"), ("B", "Hello there."))
    for least, name in ((0.6, RoleName.AGENT), (0.999, RoleName.UNKNOWN)):
        chosen = TurnSettings(min_role_confidence=least)
        role = assign_roles(said, ("A", "B"), MONO, NOTHING_KNOWN, chosen)[0]
        assert role.name is name


def test_a_recorded_voice_is_no_agent() -> None:
    menu = roles_of(
        ("A", "Your call is important to us. For billing press one, for repairs press two."),
        ("B", "uh I'm calling because my internet is down"),
    )
    assert names_of(menu) == ["ivr", "customer"]
    voicemail = roles_of(
        (
            "A",
            "The person you are calling is not available. Please leave a message after the tone.",
        ),
        (
            "B",
            "Hi, this is Sam from Northline, I'm calling to let you know your claim is approved.",
        ),
        direction="outbound",
    )
    assert names_of(voicemail) == ["ivr", "agent"]


def test_a_person_who_follows_a_menu_on_the_same_channel_is_an_agent() -> None:
    roles = roles_of(
        ("A", "For sales press one. This call may be recorded."),
        ("A", "Thanks for calling Orchard, my name is Lee, how can I help you today?"),
        ("B", "I'd like to order a replacement card please."),
        ("A", "I can help you with that. Can I have your account number?"),
        ("B", "It's on my bill."),
        ("A", "Is there anything else I can help you with?"),
    )
    assert names_of(roles) == ["agent", "customer"]


def test_a_transfer_has_two_agents() -> None:
    roles = roles_of(
        ("A", "Thank you for calling, this is Ann speaking, how can I help you?"),
        ("B", "I have a problem with my bill, I was charged twice."),
        ("A", "Let me transfer you to billing, one moment please."),
        ("C", "Billing, this is Tom speaking how may I help you, can I have your account number?"),
        ("B", "I already gave it to the last person, I was transferred."),
        ("C", "I apologize for the inconvenience. Is there anything else I can help you with?"),
        parties=("A", "B", "C"),
    )
    assert names_of(roles) == ["agent", "customer", "agent"]


def test_a_third_voice_that_says_nothing_telling_stays_unknown() -> None:
    roles = roles_of(
        ("A", "Thank you for calling, how can I help you today? Can I have your name please?"),
        ("B", "I have a problem with my bill, I was charged twice."),
        ("C", "Dinner is ready."),
        parties=("A", "B", "C"),
    )
    assert [roles[p].name.value for p in "AB"] == ["agent", "customer"]
    assert roles["C"].name is RoleName.UNKNOWN


def test_one_voice_may_be_two_people_and_stays_unknown() -> None:
    roles = roles_of(
        ("A", "Thank you for calling how can I help you? I lost my debit card."), parties=("A",)
    )
    assert names_of(roles) == ["unknown"]
    message = roles_of(
        ("A", "We can't take your call right now. Please leave a message after the tone."),
        parties=("A",),
    )
    assert names_of(message) == ["ivr"]
    assert assign_roles((), (), MONO, NOTHING_KNOWN, TurnSettings()) == ()


@pytest.mark.parametrize(
    ("channel_roles", "expected"),
    [
        ({"0": "agent", "1": "customer"}, ["agent", "customer"]),
        ({"0": "Customer", "1": " AGENT "}, ["customer", "agent"]),
        ({"1": "agent"}, ["customer", "agent"]),
        ({"0": "ivr"}, ["ivr", "unknown"]),
        ({"0": "agent", "1": "robot"}, ["agent", "unknown"]),
    ],
)
def test_metadata_decides_where_channels_are_speakers(
    channel_roles: dict[str, str], expected: list[str]
) -> None:
    metadata = replace(NOTHING_KNOWN, channel_roles=channel_roles)
    said = turns_of(*INBOUND[1])
    roles = assign_roles(said, ("A", "B"), STEREO, metadata, TurnSettings())
    assert [r.name.value for r in roles] == expected
    assert {r.source for r in roles} == {"metadata"}
    assert all((r.confidence == 1.0) == (r.name is not RoleName.UNKNOWN) for r in roles)
    by_ear = assign_roles(said, ("A", "B"), MONO, metadata, TurnSettings())
    assert [r.name.value for r in by_ear] == ["customer", "agent"]


def test_words_tell_no_roles_where_it_is_a_guess_who_said_them() -> None:
    """With babble 5 dB below the parties, one customer of six was taken for the agent."""
    said, told = turns_of(*INBOUND[0]), {"channel_roles": {"0": "customer", "1": "agent"}}
    chosen, doubt = TurnSettings(), "voices behind a party are nearly as loud"
    guessed = assign_roles(said, ("A", "B"), STEREO, NOTHING_KNOWN, chosen, doubt=doubt)
    assert {(role.name, role.reason) for role in guessed} == {(RoleName.UNKNOWN, doubt)}
    known = replace(NOTHING_KNOWN, **told)
    roles = assign_roles(said, ("A", "B"), STEREO, known, chosen, doubt=doubt)
    assert [role.name for role in roles] == [RoleName.CUSTOMER, RoleName.AGENT]


def test_a_role_that_only_follows_needs_two_voices_that_were_surely_told_apart() -> None:
    """Of a message, cut in two at a confidence of 0.61, the last words were called an agent's."""
    said = turns_of(
        ("A", "Hi, my name is Ann. I lost my debit card. Can you send me a new one?"),
        ("B", "No, thank you. Bye-bye."),
    )
    for told_apart, names in ((0.61, ["unknown", "unknown"]), (0.95, ["customer", "agent"])):
        roles = assign_roles(
            *(said, ("A", "B"), MONO, NOTHING_KNOWN, TurnSettings(), "en"),
            *(lambda _: {0: -3.0, 1: 0.5}, None, told_apart),
        )
        assert [role.name.value for role in roles] == names


def test_metadata_without_a_known_role_leave_it_to_the_words() -> None:
    metadata = replace(NOTHING_KNOWN, channel_roles={"0": "left"})
    roles = assign_roles(turns_of(*INBOUND[0]), ("A", "B"), STEREO, metadata, TurnSettings())
    assert [r.name.value for r in roles] == ["agent", "customer"]


PHRASES = [
    "thank you for calling",
    "how can I help you",
    "I lost my card",
    "hello",
    "press one for sales",
    "can I have your name",
    "I'm calling because my bill is wrong",
    "is there anything else",
    "no that's all",
    "okay",
]


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(PHRASES)), max_size=14),
    st.permutations("ABC"),
)
@settings(deadline=None, max_examples=60)
def test_renaming_the_parties_renames_the_roles(
    said: list[tuple[str, str]], order: list[str]
) -> None:
    rename = dict(zip("ABC", order, strict=True))
    parties = tuple(sorted({p for p, _ in said}))
    before = roles_of(*said, parties=parties)
    after = roles_of(
        *((rename[p], text) for p, text in said), parties=tuple(rename[p] for p in parties)
    )
    for party, role in before.items():
        other = after[rename[party]]
        assert other.name is role.name
        assert other.confidence == pytest.approx(role.confidence)


def bank_call(path: Path) -> list[tuple[str, str]]:
    party = {"agent": "A", "caller": "B"}
    said: list[tuple[str, str]] = []
    for part in json.loads(path.read_text()):
        speaker = party[part["speaker"]]
        if said and said[-1][0] == speaker:
            said[-1] = (speaker, said[-1][1] + " " + part["text"])
        else:
            said.append((speaker, part["text"]))
    return said


@pytest.mark.skipif(not CALLS.is_dir(), reason="shared bank calls are not here")
def test_bank_calls_have_the_roles_people_gave_them_however_the_parties_are_named() -> None:
    swap = {"A": "B", "B": "A"}
    for path in sorted(CALLS.glob("*.json")):
        call = bank_call(path)
        assert names_of(roles_of(*call)) == ["agent", "customer"], path.name
        swapped = [(swap[p], text) for p, text in call]
        assert names_of(roles_of(*swapped)) == ["customer", "agent"], path.name


@pytest.mark.skipif(not CALLS.is_dir(), reason="shared bank calls are not here")
def test_missing_words_never_exchange_the_roles() -> None:
    chance = random.Random(20)
    unknown = tries = 0
    for path in sorted(CALLS.glob("*.json")):
        for _ in range(10):
            heard = [
                (party, " ".join(w for w in text.split() if chance.random() > 0.2))
                for party, text in bank_call(path)
            ]
            names = names_of(roles_of(*heard))
            assert names in (["agent", "customer"], ["unknown", "unknown"])
            unknown += names[0] == "unknown"
            tries += 1
    assert unknown <= tries * 0.1


SAID = (("A", "Good morning."), ("B", "Good morning to you."))


def told(layout: ChannelLayout, roles: dict[str, str], *said: tuple[str, str]) -> tuple[Role, ...]:
    parties = ("A", "B") if layout.kind == "mono" else tuple("ABCDEF"[: len(layout.kept)])
    metadata = replace(NOTHING_KNOWN, channel_roles=roles)
    return assign_roles(turns_of(*(said or SAID)), parties, layout, metadata, TurnSettings())


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_metadata_name_the_channels_of_the_recording(count: int) -> None:
    """Whatever channels were dropped, in whatever order: mixes, silence."""
    for customer in range(count):
        for agent in set(range(count)) - {customer}:
            kept = tuple(sorted((customer, agent)))
            layout = ChannelLayout("stereo", count, 0.1, "two voices", kept)
            both = {str(customer): "customer", str(agent): "agent"}
            for roles in (both, {str(customer): "customer"}, {str(agent): "agent"}):
                named = told(layout, roles)
                assert named[kept.index(customer)].name is RoleName.CUSTOMER
                assert named[kept.index(agent)].name is RoleName.AGENT
                assert all(role.source == "metadata" for role in named)
                assert all(role.confidence == 1.0 for role in named)


def test_the_name_of_a_dropped_copy_is_that_of_the_channel_that_was_kept() -> None:
    layout = ChannelLayout(
        "stereo", 4, 0.1, "copies", (0, 1), (ChannelCopy(2, 3), ChannelCopy(3, 0))
    )
    assert names_of({r.party: r for r in told(layout, {"2": "agent", "1": "customer"})}) == [
        "agent",
        "customer",
    ]
    contradicting = told(layout, {"2": "agent", "0": "customer"})
    assert all(role.name is RoleName.UNKNOWN for role in contradicting)


@pytest.mark.parametrize(
    ("layout", "there"),
    [
        (ChannelLayout("stereo", 2, 0.1, "two voices", (0, 1)), "0 to 1"),
        (ChannelLayout("mono", 1, None, "one channel", (0,)), "0 only"),
    ],
)
def test_roles_of_a_channel_that_does_not_exist_are_said_and_not_used(
    layout: ChannelLayout, there: str
) -> None:
    """Who counts channels from 1 would have the agent and the customer swapped."""
    for role in told(layout, {"1": "customer", "2": "agent"}):
        assert role.name is RoleName.UNKNOWN
        assert "metadata name channel " in role.reason
        assert f"the recording has {there}" in role.reason
    words = told(
        layout,
        {"1": "customer", "2": "agent"},
        ("A", "Thank you for calling, how can I help you today? Can I have your name please?"),
        ("B", "I have a problem with my bill, I was charged twice."),
    )
    assert [role.name.value for role in words] == ["agent", "customer"]
    assert all(role.source == "words" and ", but the recording" in role.reason for role in words)


@pytest.mark.parametrize("live", [0, 1])
def test_the_only_voice_of_two_channels_has_the_role_of_its_channel(live: int) -> None:
    layout = ChannelLayout("mono", 2, None, "one alone", (live,))
    names = ("customer", "agent")
    roles = {"0": "customer", "1": "agent"}
    first, second = told(layout, roles, ("A", "Good morning."), ("A", "And goodbye."))
    assert (first.name.value, second.name.value) == (names[live], names[1 - live])
    assert f"channel {live} is" in first.reason
    # Two voices on that channel are told apart by what they say.
    assert all(role.source == "words" for role in told(layout, roles))


# Openings with few of the words that rules know, none of them learned from: (language, who is the
# agent, direction, what is said in turn).
FEW_WORDS = (
    ("en", "A", None, "Castle Hotel.", "Evening. Do you still have something for the ninth?",
     "For how many?", "Just me and the dog.", "Dogs are twelve a night on top.", "That's fine."),
    ("en", "B", None, "Yes hello, it's about the parking fine.", "Have you got the number of it?",
     "Let me see. Nine one four.", "And the plate?", "It was my brother who drove, in fact."),
    ("en", "B", "outbound", "Hello?", "Hello, it's Tessa, from the vet's. It's about Mimi's jab.",
     "Oh yes.", "She's due in a fortnight. Would the Thursday be any good?", "What time?"),
    ("en", "A", None, "Dispatch.", "The lorry's outside but he won't come up the drive.",
     "Which drop is it?", "The one for the school kitchen.", "I'll give him a ring in the cab."),
    ("de", "A", None, "Bäderbetriebe, Schulz.", "Tag, meine Karte geht am Eingang nicht auf.",
     "Steht eine Zahl unten drauf?", "Ja, sieben null vier.", "Die ist im Mai abgelaufen."),
    ("es", "B", None, "Hola, era por la lavadora que dejé el jueves.", "¿A nombre de quién está?",
     "De mi marido, Andrés.", "Le falta una pieza, nos la traen mañana.", "Vale, pues espero."),
    ("fr", "A", None, "Mairie, état civil.", "Bonjour, il me faudrait un acte de naissance.",
     "Vous êtes né ici ?", "Oui, en soixante-quatre.", "Vous pouvez le retirer dès demain."),
    ("pt", "B", "outbound", "Estou?", "Boa tarde, é da ótica, os seus óculos já cá estão.",
     "Ah, que bom.", "Pode passar quando quiser, fechamos às sete.", "Passo lá amanhã."),
    ("nl", "A", None, "Bibliotheek, met Joke.", "Ik wil mijn boeken nog een week houden.",
     "Wat is het nummer op de pas?", "Acht acht drie.", "Ze staan nu tot de twaalfde."),
    ("it", "A", None, "Segreteria.", "Salve, mio figlio oggi non viene, ha la febbre.",
     "In che classe è?", "La seconda B.", "Va bene, lo segno io."),
)  # fmt: skip


@pytest.mark.models
def test_roles_are_told_where_few_words_are_known(engines: Engines) -> None:
    read = party_reader(Settings().language, engines)
    found = []
    for language, agent, direction, *told in FEW_WORDS:
        said = turns_of(*((("A", "B")[i % 2], text) for i, text in enumerate(told)))
        known = replace(NOTHING_KNOWN, direction=direction)
        roles = assign_roles(said, ("A", "B"), MONO, known, TurnSettings(), language, read)
        name = {role.party: role.name for role in roles}[agent]
        found.append(name)
        assert name in (RoleName.AGENT, RoleName.UNKNOWN), told
    assert found.count(RoleName.AGENT) >= 8


def test_what_a_network_reads_counts_beside_the_words_and_alone() -> None:
    said = turns_of(("A", "Mm."), ("B", "It is on the table."), ("A", "Mm."), ("B", "Right."))

    def roles(*log_odds: float) -> list[str]:
        assigned = assign_roles(
            said,
            ("A", "B"),
            MONO,
            replace(NOTHING_KNOWN, direction="inbound"),
            TurnSettings(),
            "en",
            lambda turns: dict(zip((t.index for t in turns), log_odds, strict=True)),
        )
        assert {role.reason for role in assigned}
        return [role.name.value for role in assigned]

    assert roles(4.0, -4.0, 4.0, -4.0) == ["agent", "customer"]
    assert roles(-4.0, 4.0, -4.0, 4.0) == ["customer", "agent"]
    assert roles(0.0, 0.0, 0.0, 0.0) == ["unknown", "unknown"]


def test_the_layer_is_the_one_that_its_weights_were_set_for() -> None:
    stored = hashlib.sha256(adapter_file("parties").read_bytes()).hexdigest()
    text = files("warmline.turns").joinpath("behaviour.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["network"]["sha256"] == stored


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("named", ["customer", "agent"])
def test_the_only_voice_of_more_channels_has_the_role_of_its_channel(
    count: int, named: str
) -> None:
    """As of a mix, a customer and an agent of whom two were not recorded."""
    other = "agent" if named == "customer" else "customer"
    for live in range(count):
        layout = ChannelLayout("mono", count, None, "one alone", (live,))
        for roles in ({str(live): named}, {str(live): named, str((live + 1) % count): other}):
            first, second = told(layout, roles, ("A", "Good morning."), ("A", "And goodbye."))
            assert (first.name.value, second.name.value) == (named, other)
            assert (first.source, first.confidence) == ("metadata", 1.0)
