"""Posts per second and peak memory: our int8 and float32, BERT-base through the transformers pipeline, and VADER.

    python -m benchmarks.classifier [--posts 1024] [--data tfns_train.csv] [--model FOLDER] [--rounds 3]

BERT-base has random weights: it stands for classifiers of its size, such as ProsusAI's FinBERT, whose speed does not
depend on what they learned. So does our float32 where the folder has no float32 weights. Each runs in a process of its
own, all on the same posts, and they take turns, round by round, so that a busy machine slows all of them; the best
round is shown, tokenising included. The slow ones read only the first part of the posts, of the same mean length.
Needs the extras train and dev. Without --data the posts are our own, with about the lengths of real ones.
"""

import argparse
import multiprocessing
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

from bearometer.clock import SystemClock
from bearometer.topics import TOPICS
from model.classifier import Passage
from model.dataset import read_examples
from model.extras import import_extra, import_torch, import_transformers
from model.folder import CARD_FILE, CONFIG_FILE, FP32_FILE, TOKENIZER_FILE, ModelFolder
from model.load import SHIPPED_WEIGHTS

VOCABULARY = (
    "shares stock plunge jumps after before the a of report earnings outlook cuts raises dividend probe "
    "order record analysts price target Quillmark Tern Ostrava $QMRK $TERN $OSTR today says board market "
    "call put volume up down 5% $12.50 guidance quarter sales profit loss "
)
BATCH = 512
"""Posts that our classifiers get at a time, as `bearometer score` does."""

Judge = Callable[[list[str]], object]


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured."""

    model: Path
    threads: int
    pipeline_batch: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1024)
    parser.add_argument("--data", type=Path, help="texts to read instead of our own: CSV, JSONL, or one a line (.txt)")
    parser.add_argument("--model", type=Path, default=SHIPPED_WEIGHTS, help="exported folder; default: what ships")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-share", type=int, default=8, help="BERT-base reads one in so many posts")
    parser.add_argument("--pipeline-batch", type=int, default=16, help="batch_size of the transformers pipeline")
    arguments = parser.parse_args()
    posts = _read(arguments.data, arguments.posts) if arguments.data else make_texts(arguments.posts)
    options = Options(arguments.model, arguments.threads, arguments.pipeline_batch)
    slow = max(1, len(posts) // arguments.slow_share)
    with ExitStack() as stack:
        runners = [
            stack.enter_context(Runner(name, options, posts[:slow] if name.startswith("BERT") else posts))
            for name in JUDGES
        ]
        for _ in range(arguments.rounds):
            for runner in runners:
                runner.run()
        results = {runner.name: (runner.posts_per_second, runner.peak_megabytes()) for runner in runners}
    ours = next(iter(results.values()))[0]
    print(f"{len(posts):,} posts, {arguments.threads} threads, best of {arguments.rounds} rounds")
    for name, (rate, memory) in results.items():
        print(f"{name:42} {rate:9,.0f} posts/s  {memory:6,.0f} MB  our int8 is {ours / rate:7.2f} times as fast")


def make_texts(count: int, seed: int = 5) -> list[str]:
    """Texts of 5 to 45 words in a fixed random order."""
    chooser = random.Random(seed)
    words = VOCABULARY.split()
    lengths = (min(45, max(5, round(chooser.gauss(16, 6)))) for _ in range(count))
    return [" ".join(chooser.choices(words, k=length)) for length in lengths]


def _read(path: Path, count: int) -> list[str]:
    """So many texts of a file, in a fixed random order, again from the start when there are too few."""
    texts = [example.text for example in read_examples(path, "texts")]
    random.Random(5).shuffle(texts)
    return [texts[number % len(texts)] for number in range(count)]


class Runner:
    """One classifier in a process of its own, which judges all its posts each time it is asked."""

    def __init__(self, name: str, options: Options, posts: list[str]) -> None:
        self.name = name
        self._posts = len(posts)
        self._seconds: list[float] = []
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(name, options, posts, far), daemon=True)

    def __enter__(self) -> "Runner":
        self._process.start()
        self._pipe.recv()  # loaded and warm
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def run(self) -> None:
        """One round."""
        self._pipe.send("run")
        self._seconds.append(self._pipe.recv())

    @property
    def posts_per_second(self) -> float:
        """Of the best round so far."""
        return self._posts / min(self._seconds)

    def peak_megabytes(self) -> float:
        """The most memory that the process held at any moment, Python and libraries included."""
        self._pipe.send("memory")
        kilobytes: float = self._pipe.recv()
        return kilobytes / 1000


def _serve(name: str, options: Options, posts: list[str], pipe: Connection) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    clock = SystemClock()
    with ExitStack() as stack:
        judge = JUDGES[name](options, stack)
        judge(posts[:BATCH])  # warm-up
        pipe.send("ready")
        while True:
            if pipe.recv() == "run":
                started = clock.monotonic()
                judge(posts)
                pipe.send(clock.monotonic() - started)
            else:
                pipe.send(_peak_kilobytes())


def _peak_kilobytes() -> float:
    # ru_maxrss would count what the parent held when it made this process.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _int8(options: Options, _: ExitStack) -> Judge:
    return _onnx(options.model, options)


def _fp32(options: Options, stack: ExitStack) -> Judge:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    for name in (CARD_FILE, CONFIG_FILE, FP32_FILE, TOKENIZER_FILE):  # without int8, which would be preferred
        if (options.model / name).exists():
            (folder / name).symlink_to((options.model / name).resolve())
    if not (folder / FP32_FILE).exists():
        _make_random_fp32(folder)
    return _onnx(folder, options)


def _onnx(folder: Path, options: Options) -> Judge:
    from model.onnx import OnnxClassifier  # noqa: PLC0415 - each process loads what it measures

    classifier = OnnxClassifier(ModelFolder.open(folder), options.threads)

    def judge(posts: list[str]) -> None:
        for batch in _batches(posts):
            classifier.classify(classifier.prepare([Passage(post) for post in batch]))

    return judge


def _make_random_fp32(folder: Path) -> None:
    from model.network import make_network, save_network  # noqa: PLC0415
    from model.trace import trace  # noqa: PLC0415

    transformers = import_transformers()
    encoder = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(folder))
    encoder.pooler = None
    for name in (CONFIG_FILE, CARD_FILE):
        (folder / name).unlink(missing_ok=True)  # links, which must not be written through
    save_network(make_network(encoder, len(TOPICS)), folder)
    (folder / CARD_FILE).write_bytes(orjson.dumps({"name": "random", "topics": TOPICS, "max_tokens": 128}))
    import_extra("onnx").save(trace(ModelFolder.open(folder)), folder / FP32_FILE)


def _bert(options: Options, _: ExitStack) -> Judge:
    import_torch().set_num_threads(options.threads)
    transformers = import_transformers()
    network = transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=3)).eval()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(options.model / TOKENIZER_FILE), pad_token="[PAD]", model_max_length=512
    )
    classify = transformers.pipeline("text-classification", model=network, tokenizer=tokenizer, device="cpu")
    return lambda posts: classify(posts, batch_size=options.pipeline_batch, truncation=True)


def _vader(_: Options, __: ExitStack) -> Judge:
    analyzer = import_extra("vaderSentiment.vaderSentiment", "dev").SentimentIntensityAnalyzer()
    return lambda posts: [analyzer.polarity_scores(post) for post in posts]


def _batches(posts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(posts), BATCH):
        yield posts[start : start + BATCH]


JUDGES: dict[str, Callable[[Options, ExitStack], Judge]] = {
    "our int8, ONNX Runtime": _int8,
    "our float32, ONNX Runtime": _fp32,
    "BERT-base, transformers pipeline": _bert,
    "VADER": _vader,
}
"""What is measured, ours first."""

if __name__ == "__main__":
    main()
