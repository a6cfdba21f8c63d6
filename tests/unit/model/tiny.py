"""A random two-layer BERT over a vocabulary of our own sentences: trained in a second, without any download."""

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
from model.dataset import Example

_NAMES = ("Quillmark", "Tern Aviation", "Ostrava Steel", "Lumen Foods", "Harbour Bank", "Pelican Energy")
_TALES = {
    "negative": ("shares plunge after a fraud probe", "cuts its outlook again", "loses its biggest client"),
    "positive": ("beats every estimate", "raises its dividend again", "wins a record order"),
    "neutral": ("will report on Thursday", "moves its office to Leeds", "holds its yearly meeting"),
}
_DAYS = ("today", "on Monday", "this week", "in London", "as expected", "says its board")


def tiny_examples() -> list[Example]:
    """324 sentences in a fixed random order; a label is told by its words."""
    sentences = [
        Example(f"{name} {tale} {day}", LABELS.index(label))
        for label, tales in _TALES.items()
        for tale in tales
        for name in _NAMES
        for day in _DAYS
    ]
    random.Random(3).shuffle(sentences)
    return sentences


def make_tiny_base(folder: Path) -> Path:
    """Write the untrained encoder and its tokenizer."""
    folder.mkdir(parents=True)
    words = sorted({word for example in tiny_examples() for word in example.text.lower().split()})
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
