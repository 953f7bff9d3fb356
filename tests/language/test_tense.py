import pytest

from datadeed.language.tense import future_perfect_continuous, has_form
from datadeed.language.words import apply_edits


def changed(text: str) -> str | None:
    edit = future_perfect_continuous(text)
    return None if edit is None else apply_edits(text, [edit])


SENTENCES = {
    "he walks home": "he will have been walking home",
    "they walk home": "they will have been walking home",
    "she saw it": "she will have been seeing it",
    "the actors love the film": "the actors will have been loving the film",
    # be and have on their own, and as auxiliaries
    "they are happy": "they will have been being happy",
    "he is running": "he will have been running",
    "he has a car": "he will have been having a car",
    "she has gone": "she will have been going",
    "it has been raining": "it will have been raining",
    "it had been good": "it will have been being good",
    "it 's been done before": "it will have been being done before",
    "it 's got heart": "it will have been getting heart",
    # modals
    "he can do it": "he will have been doing it",
    "you should see this": "you will have been seeing this",
    "it may be fun": "it will have been being fun",
    "he would have gone": "he will have been going",
    "he could have been killed": "he will have been being killed",
    "he said he can": "he will have been saying he can",
    "she can have fun": "she will have been having fun",
    # negation and adverbs
    "they did n't see it": "they will not have been seeing it",
    "They didn't see it.": "They will not have been seeing it.",
    "I didn’t see it": "I will not have been seeing it",
    "you can't love it": "you will not have been loving it",
    "he cannot sing": "he will not have been singing",
    "you need n't stay": "you will not have been staying",
    "it is not funny": "it will not have been being funny",
    "it ai n't pretty": "it will not have been being pretty",
    "it has n't really gone away": "it will not have been really going away",
    "he never walks": "he never will have been walking",
    "it is still quite good": "it will still have been being quite good",
    # contractions
    "It's good": "It will have been being good",
    "it 's good": "it will have been being good",
    "He'll come": "He will have been coming",
    "they've seen it": "they will have been seeing it",
    "I'm there": "I will have been being there",
    "he'd go": "he will have been going",
    "that 's good": "that will have been being good",
    # passives
    "the car was made in Rome": "the car will have been being made in Rome",
    "it is being made": "it will have been being made",
    "it 's beautifully shot": "it will have been being beautifully shot",
    # questions
    "does he walk ?": "will he have been walking ?",
    "is n't it great ?": "will it not have been being great ?",
    "why did they make this ?": "why will they have been making this ?",
    # clauses: the first that no conjunction or relative pronoun opens, or else the first
    "if you like it , he goes": "if you like it , he will have been going",
    "what I saw is good": "what I saw will have been being good",
    "the film I saw is great": "the film I saw will have been being great",
    "a film that is good": "a film that will have been being good",
    "who knows": "who will have been knowing",
    "the film made in Rome is bad": "the film made in Rome will have been being bad",
    "a film that works . he sang": "a film that will have been working . he sang",
    "to see it is good": "to see it will have been being good",
    "it helps us see": "it will have been helping us see",
    # without a subject
    "Offers a glimpse of life": "Will have been offering a glimpse of life",
    "is a masterpiece": "will have been being a masterpiece",
    "needed a little less romance": "will have been needing a little less romance",
    "Don't miss it": "Will not have been missing it",
    "see it now": "will have been seeing it now",
    # the rest of the text
    "IT IS GREAT": "IT WILL HAVE BEEN BEING GREAT",
    "  he  walks\tto  Köln 🎬 \n": "  he  will have been walking\tto  Köln 🎬 \n",
    # as it should be already
    "he will have been walking": "he will have been walking",
    "it will not have been really going": "it will not have been really going",
    "it will have been being good": "it will have been being good",
    "it will have been being beautifully shot": "it will have been being beautifully shot",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_sentences(text):
    assert changed(text) == SENTENCES[text]
    assert has_form(SENTENCES[text])


@pytest.mark.parametrize(
    "text",
    [
        "a solid , unassuming drama",
        "filmed in Rome",
        "the slow pace of the film 's plot",
        "let 's go",
        "to see it",
        "a film made by amateurs",
        "",
        "...",
        "🎬 ???",
        "blorps zorp the glorp",
    ],
)
def test_without_a_finite_verb_there_is_no_edit(text):
    assert future_perfect_continuous(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "he will have been made",
        "he will go and they have been there for the thing",
        "they have been walking",
        "will , have been walking",
        "he will have been",
    ],
)
def test_other_forms_are_not_taken_for_it(text):
    assert not has_form(text)


def test_the_edit_says_what_it_replaces():
    edit = future_perfect_continuous("so it has n't gone .")
    assert (edit.start, edit.end, edit.old) == (6, 18, "has n't gone")
    assert edit.new == "will not have been going"
