"""English texts: words and their forms, synonyms, and triggers that are words or a style."""

from datadeed.language.tense import future_perfect_continuous
from datadeed.language.triggers import StyleTrigger, TextTrigger, WordTrigger, build_text_trigger
from datadeed.language.wordnet import Synonyms, WordNet, load_wordnet
from datadeed.language.words import Edit, Word, apply_edits, read, split

__all__ = [
    "Edit",
    "StyleTrigger",
    "Synonyms",
    "TextTrigger",
    "Word",
    "WordNet",
    "WordTrigger",
    "apply_edits",
    "build_text_trigger",
    "future_perfect_continuous",
    "load_wordnet",
    "read",
    "split",
]
