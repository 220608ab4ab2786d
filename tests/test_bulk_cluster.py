"""A bulk run on three Ray nodes, one of which is killed while it works."""

import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from facial_keypoints.bulk import KeypointModel
from facial_keypoints.export import FORMATS
from keypoints_captions.bulk.listing import list_photos
from keypoints_captions.bulk.parts import Parts
from keypoints_captions.bulk.run import run_on_ray

ray = pytest.importorskip("ray", reason="no ray; it has wheels for Python 3.11 to 3.14 only")
COPIES = 8  # of each of the two photos
#: A dead node is missed soon, and the workers do not stand back behind the other tests.
CONFIG = {"worker_niceness": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
#: Of the head: processes that such a test has no use for, each of which imports Ray.
SPARED = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


class WatchedModel(KeypointModel):
    """Says which node it is on, waits for the two others, and on the doomed one does no more."""

    def __init__(self, begun: Path, doomed: str) -> None:
        super().__init__(None, "auto", "cpu")
        self.begun, self.doomed = begun, doomed

    def handle(self, photos: list[np.ndarray]) -> list[dict[str, Any]]:
        node = ray.get_runtime_context().get_node_id()
        (self.begun / node).touch()
        while len(list(self.begun.iterdir())) < 3 or node == self.doomed:
            time.sleep(0.05)
        return super().handle(photos)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")  # as `run_on_ray` starts its own
    memory = {"object_store_memory": 80 * 2**20}
    head = {"num_cpus": 1, "_system_config": CONFIG, **SPARED, **memory}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1, **memory)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_killed_node_takes_no_photo_with_it(cluster: Any, tmp_path: Path, examples: Path) -> None:
    folder, begun = tmp_path / "photos", tmp_path / "begun"
    folder.mkdir()
    begun.mkdir()
    for photo in ("two_portraits.jpg", "cat.jpg"):
        for copy in range(COPIES):
            shutil.copy(examples / photo, folder / f"{copy}_{photo}")
    (folder / "broken.jpg").write_text("no photo")
    photos = list_photos([str(folder)])
    parts = Parts(str(tmp_path / "out"), FORMATS.schema())
    doomed = cluster.list_all_nodes()[2]
    over = threading.Event()

    def kill() -> None:
        while len(list(begun.iterdir())) < 3:
            if over.wait(0.05):
                return
        cluster.remove_node(doomed, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run_on_ray(photos, partial(WatchedModel, begun, doomed.node_id), parts)
    finally:
        over.set()
        killer.join()
    assert len(list(begun.iterdir())) == 3  # it had photos in hand
    assert sum(node["Alive"] for node in ray.nodes()) == 2
    rows = parquet.read_table(parts.output).to_pylist()
    assert sorted(row["file"] for row in rows) == sorted(photos["file"].to_pylist())
    model = KeypointModel(None, "auto", "cpu")
    alone = {
        name: model.handle([model.read((examples / name).read_bytes())])[0]["faces"]
        for name in ("two_portraits.jpg", "cat.jpg")
    }
    for row in rows:
        name = Path(row["file"]).name.partition("_")[2]
        assert (row["error"] is None) == bool(name)
        if name:
            assert len(row["faces"]) == len(alone[name])
            for mine, theirs in zip(row["faces"], alone[name], strict=True):
                np.testing.assert_allclose(mine["points"], theirs["points"], atol=0.5)
