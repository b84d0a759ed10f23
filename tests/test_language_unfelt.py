"""Words of feeling that are not felt: courtesy, what others felt, what is over, imagined, a saying.

Ten turns of each kind, and ten of the same shape in which the customer does feel it. They were
written before the rules; of each ten, one may still be read wrongly.
"""

import pytest

from warmline.language import TurnLanguage, score_turns
from warmline.language.rulebook import rulebook
from warmline.models.engines import Engines
from warmline.phrases import spoken_text
from warmline.settings import LanguageSettings

UNFELT = {
    "courtesy": (
        "I hate to bother you, but could you tell me your opening hours?",
        "Sorry to be a pain, could you spell that once more?",
        "I'm afraid I don't have it on me.",
        "I hate to ask, but is there any chance of an earlier slot?",
        "Sorry to trouble you again, I only wanted to add a second passenger.",
        "I'm embarrassed to ask, but how do I open the boot?",
        "Forgive me for being a nuisance, I just need the reference number.",
        "I'm terribly sorry, I've just dropped my pen, go ahead.",
        "I'm afraid you've got the wrong number, this is the bakery.",
        "I hate to interrupt, but my bus is coming, can I ring you back?",
    ),
    "of others": (
        "My daughter is scared of dogs, so please ask the courier to leave his at home.",
        "My boss was furious with the supplier, but that's all settled between them.",
        "She said she was worried about her exams, so we want to move the trip to June.",
        "My husband is terrified of flying, is there a train instead?",
        "The people in the film were angry all the time, so I'd like something lighter.",
        "My neighbour was upset with his own bank and recommended you.",
        "My son is nervous around needles, do you have a quiet room?",
        "The cat is frightened of the vacuum cleaner, which one of yours is the quietest?",
        "He told me he was fed up with his old provider and wanted to join you.",
        "My sister was heartbroken when her team lost, so the tickets are to cheer her up.",
    ),
    "over": (
        "It used to be a nightmare, now it works like a charm.",
        "I was worried at first but it's fine now.",
        "I was quite nervous about the operation back then, but it went really well.",
        "We were annoyed last year, but since the new manager came everything has been lovely.",
        "I used to get so frustrated with the old app, the new one is brilliant.",
        "I was confused by the form to begin with, then your video made it all clear.",
        "I was upset yesterday, but your colleague has sorted it all out.",
        "At first I was scared of driving an electric car, now I love it.",
        "We had been disappointed by the old menu, the new one is a treat.",
        "I was furious on Monday, but you've put it right and I'm happy.",
    ),
    "imagined": (
        "I'd be furious if that happened, but it never has.",
        "In case I get confused, could you send it in writing?",
        "I would be worried if it were my only card, but I have another.",
        "Should I be disappointed with the colour, can I return it?",
        "So that nobody gets frustrated, please put the instructions in the box.",
        "Unless I get scared at the last minute, I'll take the balloon ride.",
        "I'd hate to miss the concert, so which train should I take?",
        "Suppose I was unhappy with the mattress, how long would I have?",
        "It would be a shame to miss the sale, so put me down for two.",
        "I might get nervous on the day, is there somebody to talk to?",
    ),
    "sayings": (
        "I'm dying to try it.",
        "Your new camera is scary good.",
        "I'm mad about your coffee.",
        "The cake was to die for, could I get the recipe?",
        "I'm crazy about the blue one, do you have it in a small?",
        "The picture quality is insane, I've never seen anything like it.",
        "It's terribly kind of you.",
        "I'm awfully glad I rang.",
        "The new sofa is ridiculously comfortable.",
        "It's frighteningly fast, this new line.",
    ),
}
FELT = {
    "courtesy": (
        "I hate to say it, but this is the third time I've called about it.",
        "I'm afraid to open your letters any more.",
        "Sorry to be a pain, but nobody has turned up again and I'm fed up.",
        "I hate to complain, but the room was filthy and your staff were rude.",
        "I'm afraid I'll lose my flat if this isn't paid by Friday.",
        "I'm embarrassed to say that I cried when your driver shouted at me.",
        "Sorry to trouble you again, but I'm really worried about my mother's prescription.",
        "I hate to bother you, but I've been waiting for five weeks and still have nothing.",
        "I hate that I have to ring you every single month.",
        "I'm terribly sorry, but this is ridiculous.",
    ),
    "of others": (
        "My mother is in tears because of your bill.",
        "My wife is scared to use the card now.",
        "My daughter is terrified since your driver shouted at her.",
        "My boss is furious with me because your delivery never came.",
        "She said she was worried that you had lost the ashes, and so am I.",
        "My kids are upset, the whole holiday has been cancelled.",
        "My husband is angry that you charged us twice.",
        "He told me he was fed up with your service, and I am as well.",
        "My son was crying because the toy arrived broken.",
        "My parents are worried sick, you cut off their heating.",
    ),
    "over": (
        "It used to work, now it's a nightmare.",
        "I was worried at first and now I'm terrified.",
        "I was annoyed last week, and today I'm furious.",
        "I was fine at first but now I'm really upset.",
        "I was disappointed the first time, and now it has happened again.",
        "I was worried, and I still am.",
        "I used to love your app, now it drives me mad.",
        "I was confused at first, and after your explanation I'm even more confused.",
        "I was upset yesterday, and nobody has called me back.",
        "At first I was patient, but now I've had enough.",
    ),
    "imagined": (
        "I'd be lying if I said I wasn't furious.",
        "If you knew how worried I am, you would hurry.",
        "If nobody comes today I'm cancelling, I'm that angry.",
        "I wouldn't be so upset if you had told me.",
        "I'd be happy if you hadn't lost it, but now I'm heartbroken.",
        "In case you're wondering, yes, I'm very disappointed.",
        "I'm worried what happens if the payment bounces.",
        "I would be less annoyed if someone had apologised.",
        "If I sound angry, that's because I am.",
        "I'm scared that I might lose the house.",
    ),
    "sayings": (
        "I'm mad about the way your driver left it in the rain.",
        "I'm dying of heat here, the air conditioning has been broken for days.",
        "It's scary how much you charge.",
        "It's scary, my card has been used in another country.",
        "I'm going crazy with this form.",
        "The noise is insane, we can't sleep.",
        "The fees are ridiculous.",
        "I'm sick of your hold music.",
        "It's a terrible mess.",
        "I'm awfully worried about the lump.",
    ),
}
MOST_WRONG = 1
RULES_ALONE = LanguageSettings(models=False)


def read(
    said: dict[str, tuple[str, ...]], settings: LanguageSettings, engines: Engines | None
) -> dict[str, list[TurnLanguage]]:
    """Read each turn as if it were the only one: customers are no context of each other."""
    turns = [{"speaker": "customer", "text": text} for own in said.values() for text in own]
    found = iter(score_turns(turns, settings, engines))
    return {kind: [next(found) for _ in own] for kind, own in said.items()}


def test_rules_take_no_unfelt_words_for_a_cue() -> None:
    for kind, own in read(UNFELT, RULES_ALONE, None).items():
        assert [t.cues for t in own if t.cues] == [], kind


@pytest.mark.models
def test_words_of_feeling_that_are_not_felt_are_no_rows_and_those_that_are_stay(
    engines: Engines,
) -> None:
    for kind, own in read(UNFELT, LanguageSettings(), engines).items():
        found = [text for text, t in zip(UNFELT[kind], own, strict=True) if t.cues]
        assert len(found) <= MOST_WRONG, (kind, found)
    for kind, own in read(FELT, LanguageSettings(), engines).items():
        missed = [text for text, t in zip(FELT[kind], own, strict=True) if not t.cues]
        assert len(missed) <= MOST_WRONG, (kind, missed)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("I hate to bother you, but I have waited for weeks.", "but i have waited for weeks"),
        ("My aunt is terrified of spiders, and you sent me none.", "and you sent me none"),
        ("I was worried at first, now I am furious.", "now i am furious"),
        ("If nobody comes today I am leaving you.", "if today i am leaving you"),
        ("I'd be so sad. My order is lost.", "my order is lost"),
        ("I am not angry. My order is lost.", "my order is lost"),
        ("I'm dying to see it.", ""),
        ("I'd be lying if I said I was not angry.", "i would be lying if i said i was not angry"),
        ("I'm afraid of the dark.", "i am afraid of the dark"),
    ],
)
def test_only_unfelt_words_are_left_out_and_of_a_denial_its_sentence(said: str, left: str) -> None:
    words = spoken_text(said)
    unread = rulebook(LanguageSettings()).unread(words)
    kept = [i for sentence in words.sentences() for i in unread.kept(*sentence)]
    assert " ".join(words.words[i] for i in kept) == left


@pytest.mark.models
def test_a_worry_that_is_over_is_no_row_and_its_end_is_a_resolution(engines: Engines) -> None:
    (over,) = score_turns(
        [{"speaker": "customer", "text": "I was worried at first but it's fine now."}],
        engines=engines,
    )
    assert over.cues == () and over.negative_emotion < 0.2
    (solved,) = score_turns(
        [{"speaker": "customer", "text": "It used to be a nightmare. It works now."}],
        engines=engines,
    )
    assert "resolution.solved" in solved.rules and solved.cues == ()
