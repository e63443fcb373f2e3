"""Encode batches side by side, in order; workers end with the process that started them."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

from asi_arch.data.encode import Encoded, Encoder, Rules
from asi_arch.data.sources import Document, Place
from asi_arch.errors import AsiArchError, UserError

BATCH_CHARACTERS = 2**19


class Batch(NamedTuple):
    """Some documents and where the one after them begins."""

    texts: list[str]
    end: Place


def in_batches(documents: Iterable[Document]) -> Iterator[Batch]:
    """Put documents together to batches of about half a million characters."""
    texts, characters = list[str](), 0
    for document in documents:
        texts.append(document.text)
        characters += len(document.text)
        if characters >= BATCH_CHARACTERS:
            yield Batch(texts, Place(file=document.file, item=document.item))
            texts, characters = [], 0
    if texts:
        yield Batch(texts, Place(file=document.file, item=document.item))


def encode_all(
    batches: Iterable[Batch], rules: Rules, jobs: int
) -> Generator[tuple[Batch, Encoded]]:
    """Yield each batch and what it became, in order, with `jobs` processes.

    Raises:
        UserError: a worker was killed.
    """
    if jobs == 1:
        encoder = Encoder(rules)
        yield from ((batch, encoder.encode(batch.texts)) for batch in batches)
        return
    workers = [_Worker(rules) for _ in range(jobs)]
    try:
        yield from _in_turns(batches, workers)
    finally:
        for worker in workers:
            worker.close()


def _in_turns(
    batches: Iterable[Batch], workers: "list[_Worker]"
) -> Iterator[tuple[Batch, Encoded]]:
    """Each worker has one batch; the next for it is read before its answer is waited for."""
    busy: deque[tuple[_Worker, Batch]] = deque()
    idle = deque(workers)
    for batch in batches:
        done = None
        if not idle:
            worker, earlier = busy.popleft()
            done = earlier, worker.answer()
            idle.append(worker)
        worker = idle.popleft()
        worker.ask(batch.texts)
        busy.append((worker, batch))
        if done:
            yield done
    yield from ((batch, worker.answer()) for worker, batch in busy)


class _Worker:
    """A process that encodes what it is asked to, one batch at a time."""

    def __init__(self, rules: Rules) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_work, args=(theirs, rules), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, texts: list[str]) -> None:
        """Hand over a batch."""
        try:
            self._pipe.send(texts)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _lost() from error

    def answer(self) -> Encoded:
        """Wait for what became of the batch."""
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise _lost() from error
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Encoded)
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._pipe.close()
        self._process.join()


def _lost() -> UserError:
    return UserError(
        "a worker process was killed, perhaps for its memory; run the same command again with a "
        "smaller --jobs to go on"
    )


def _work(pipe: Connection, rules: Rules) -> None:
    """Encode what comes until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        encoder = Encoder(rules)
        while True:
            pipe.send(encoder.encode(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except AsiArchError as error:
        pipe.send(error)
