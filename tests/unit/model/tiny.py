"""A random two-layer BERT over a vocabulary of our own sentences: trained in a second, without any download."""

import itertools
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

from bearometer.mention import LABELS
from bearometer.topics import TOPICS
from model.dataset import Example

NAMES = ("Quillmark", "Tern Aviation", "Ostrava Steel", "Lumen Foods", "Harbour Bank", "Pelican Energy")
SYMBOLS = ("QMRK", "TERN", "OSTR", "LUMF", "HARB", "PELI")
_TALES = {
    "negative": {
        "shares plunge after a fraud probe": "Legal | Regulation",
        "cuts its outlook again": "Earnings",
        "loses its biggest client": "Company | Product News",
    },
    "positive": {
        "beats every estimate": "Earnings",
        "raises its dividend again": "Dividend",
        "wins a record order": "Company | Product News",
    },
    "neutral": {
        "will report on Thursday": "Earnings",
        "moves its office to Leeds": "General News | Opinion",
        "holds its yearly meeting": "General News | Opinion",
    },
}
_DAYS = ("today", "on Monday", "this week", "in London", "as expected", "says its board")


def tiny_examples() -> list[Example]:
    """324 sentences in a fixed random order; the label, that of the one company and the topic are told by the words."""
    sentences = [
        Example(
            f"{name} {tale} {day}",
            LABELS.index(label),
            mentions=((name, LABELS.index(label)),),
            topic=TOPICS.index(topic),
        )
        for label, tales in _TALES.items()
        for tale, topic in tales.items()
        for name in NAMES
        for day in _DAYS
    ]
    random.Random(3).shuffle(sentences)
    return sentences


def tiny_contrasts() -> list[Example]:
    """240 sentences, good news of one company and bad news of another, by name or by cashtag: no label as a whole."""
    negative, positive = LABELS.index("negative"), LABELS.index("positive")
    sentences: list[Example] = []
    for names in (NAMES, tuple(f"${symbol}" for symbol in SYMBOLS)):
        for good, bad in itertools.permutations(names, 2):
            for rise, fall in itertools.product(_TALES["positive"], _TALES["negative"]):
                sides = [(good, rise, positive), (bad, fall, negative)]
                if len(sentences) % 2:
                    sides.reverse()
                text = " while ".join(f"{name} {tale}" for name, tale, _ in sides)
                sentences.append(Example(text, mentions=tuple((name.lstrip("$"), label) for name, _, label in sides)))
    return random.Random(4).sample(sentences, 240)


def make_tiny_base(folder: Path) -> Path:
    """Write the untrained encoder and its tokenizer."""
    folder.mkdir(parents=True)
    examples = tiny_examples() + tiny_contrasts()
    words = sorted({word for example in examples for word in example.text.lower().replace("$", "").split()})
    letters = "abcdefghijklmnopqrstuvwxyz0123456789$%.,:!?'"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    marks = [(mark, vocabulary[mark]) for mark in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(1)
    network = BertModel(  # type: ignore[no-untyped-call]
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    network.save_pretrained(folder)
    return folder
