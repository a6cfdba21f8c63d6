"""The deletion test: an explanation is faithful when the words that it calls heavy are those that the model needs."""

import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from model.classifier import Classifier, Passage
from model.explain import Explanation, Word, without


def deletion_test(
    classifier: Classifier, explanations: Sequence[Explanation], count: int, draws: int = 8
) -> tuple[float, float]:
    """What the explained label's probability loses on average: without the `count` heaviest words, and without random
    ones. The words that name the entity always stay."""
    source = random.Random(5)
    passages: list[Passage] = []
    for explanation in explanations:
        words = free_words(explanation)
        chosen = [sorted(words, key=lambda word: -word.weight)[:count]]
        chosen += [source.sample(words, min(count, len(words))) for _ in range(draws)]
        entities = () if explanation.entity is None else (explanation.entity,)
        texts = [without(explanation.text, [(word.start, word.end) for word in some]) for some in ([], *chosen)]
        passages += [Passage(text, entities) for text in texts]
    judgements = classifier.classify(classifier.prepare(passages))
    by_weight, by_chance = [], []
    for number, explanation in enumerate(explanations):
        first = number * (draws + 2)
        said = []
        for judgement in judgements[first : first + draws + 2]:
            assert judgement is not None
            sentiment = judgement.entities[0] if judgement.entities else judgement.sentiment
            said.append(float(getattr(sentiment, explanation.label)))
        by_weight.append(said[0] - said[1])
        by_chance.append(said[0] - fmean(said[2:]))
    return fmean(by_weight), fmean(by_chance)


def free_words(explanation: Explanation) -> list[Word]:
    """The words that do not name the entity."""
    name = (explanation.entity or "").split()
    return [word for word in explanation.words if word.text not in name]


def shuffled(explanation: Explanation, seed: int) -> Explanation:
    """The same explanation with each weight at another word."""
    weights = [word.weight for word in explanation.words]
    random.Random(seed).shuffle(weights)
    words = (replace(word, weight=weight) for word, weight in zip(explanation.words, weights, strict=True))
    return replace(explanation, words=tuple(words))
