"""Batched captioning of several visitors' photos.

A batch takes less time than its photos one by one: the decoder's steps hardly grow with it. Its
photos are read by the thread that captions them: if each was read in a compute slot of its own
before, the next batch would begin with the few that have had theirs.
"""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from captioning.caption import Caption
from captioning.options import SearchOptions
from keypoints_captions.photos.reader import PhotoSource, read_photo
from web.models import ComputeSlots

if TYPE_CHECKING:  # torch takes seconds to import; the page is up before it
    from captioning.captioner import Captioner
    from captioning.engine.speaker import Photos

BATCH = 6  # photos; more gain little and make the first of them wait for the last


class Captioned(NamedTuple):
    """One photo's captions, best first, and what else is known of it.

    image: the photo as `read_photo` gives it, at least as large as the encoder needs.
    photos: what the decoder reads of it; a batch of one.
    look_seconds, search_seconds: the photo's share of what its batch took.
    """

    captions: list[Caption]
    image: np.ndarray
    photos: "Photos"
    look_seconds: float
    search_seconds: float


@dataclass(eq=False)
class _Job:
    source: PhotoSource
    options: SearchOptions
    done: Future[Captioned] = field(default_factory=Future)


class Batches:
    """Captions photos that wait at the same time as one batch.

    slots: the batches take these compute slots, at most `slots.count` at once.

    Only photos with the same options share a batch. Captions are sampled for one photo at a
    time, so that the result of a seed does not depend on other visitors.
    """

    def __init__(self, captioner: "Captioner", slots: ComputeSlots, size: int = BATCH):
        self.captioner, self.slots, self.size = captioner, slots, size
        self._waiting: list[_Job] = []
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def caption(self, source: PhotoSource, options: SearchOptions) -> Captioned:
        """Waits for the captions of one photo. Call it from a thread that holds no compute slot.

        source: what `read_photo` takes.
        Raises what the captioner raises, and PhotoError where the photo cannot be read.
        """
        job = _Job(source, options)
        with self._changed:
            self._waiting.append(job)
            self._start_threads()
            self._changed.notify()
        return job.done.result()

    def _start_threads(self) -> None:
        for number in range(len(self._threads), self.slots.count):
            thread = threading.Thread(target=self._work, daemon=True, name=f"captions-{number}")
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            with self.slots.turn():  # more photos arrive during the wait
                batch = self._next_batch()
                if batch:
                    self._run(batch)

    def _next_batch(self) -> list[_Job]:
        """The photo that has waited longest and those that can go with it."""
        with self._changed:
            if not self._waiting:  # another thread took them
                return []
            options = self._waiting[0].options
            size = self.size if options.method == "beam" else 1
            batch = [job for job in self._waiting if job.options == options][:size]
            self._waiting = [job for job in self._waiting if job not in batch]
            return batch

    def _run(self, batch: list[_Job]) -> None:
        images = self._read(batch)
        batch = [job for job in batch if not job.done.done()]
        if not batch:
            return
        try:
            start = time.perf_counter()
            photos = self.captioner.look(images)
            seen = time.perf_counter()
            found = self.captioner.caption(photos, batch[0].options)
            end = time.perf_counter()
            count = len(batch)
            look, search = (seen - start) / count, (end - seen) / count
            results = [
                Captioned(captions, images[index], photos.one(index), look, search)
                for index, captions in enumerate(found)
            ]
        except Exception as error:  # raised by `caption`; the thread goes on
            for job in batch:
                job.done.set_exception(error)
            return
        for job, result in zip(batch, results, strict=True):
            job.done.set_result(result)

    def _read(self, batch: list[_Job]) -> list[np.ndarray]:
        """The photos of the batch; jobs whose photos cannot be read are done, and without one."""
        images = []
        for job in batch:
            try:
                images.append(
                    read_photo(job.source, max_side=self.captioner.preprocessing.read_side)
                )
            except Exception as error:  # raised by `caption`
                job.done.set_exception(error)
        return images
