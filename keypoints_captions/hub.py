"""Models by name: a path, a folder, or a repository of the Hugging Face Hub.

A model's repository, which `HubModel.save_pretrained` writes, holds its pairs NAME.safetensors and
NAME.json, its card as README.md, the terms as LICENSE.md, and config.json, which names the pairs.
"""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, ClassVar, Self

from keypoints_captions.files import replacing, shipped
from keypoints_captions.weights import WeightsError

LIBRARY = "keypoints-captions"
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = ["*.safetensors", "*.onnx", "*.json", "*.md"]


def find_weights(
    weights: str | os.PathLike[str] | None, name: str, revision: str | None = None
) -> Path:
    """The path, without a suffix, of a model's pair of files.

    Args:
        weights: None for the project's own; a folder that holds the pair `name`; the path of a
            pair, with or without a suffix; or OWNER/NAME of the Hub. Text that could be a path or
            a name of the Hub is a path where its folder exists.
        name: of the pair.
        revision: branch, tag or commit of the Hub's repository.

    Raises:
        WeightsError: the Hub's repository is not on this machine and cannot be fetched.
    """
    if weights is None:
        return shipped("weights") / name
    path = Path(weights)
    if path.is_dir():
        return path / name
    if isinstance(weights, str) and _REPOSITORY.fullmatch(weights) and not path.parent.is_dir():
        return download(weights, revision) / name
    return path.with_suffix("") if path.suffix in (".safetensors", ".json") else path


def download(repository: str, revision: str | None = None) -> Path:
    """The folder with a Hub repository's files; fetched once, then kept in the Hub's cache.

    Raises:
        WeightsError: huggingface_hub is missing, there is no such repository or no network.
    """
    api = _huggingface_hub(f"{repository!r} is no folder here; to fetch it from the Hub")
    try:
        return Path(
            api.snapshot_download(
                repository, revision=revision, allow_patterns=_FILES, library_name=LIBRARY
            )
        )
    except (OSError, ValueError) as error:  # what huggingface_hub and its HTTP client raise
        raise WeightsError(
            f"Expected a folder or a repository of the Hugging Face Hub, got {repository!r}: "
            f"no such folder is here, and the Hub did not give it ({_first_line(error)}). "
            "Look at the spelling and the network, or give a folder."
        ) from error


class HubModel:
    """Base of the models: `from_pretrained`, `save_pretrained` and `push_to_hub`.

    huggingface_hub has a mixin with these names. It saves a model from memory, where ours have
    their batch norm folded and their numbers rounded, and importing it takes longer than all of
    this package but torch; so the files are copied, and the Hub is imported when it is asked for.

    PAIRS: names of the pairs of files. CARD: name of the model card, weights/CARD.md.
    pairs: paths of the pairs that the model was read from; empty for one made in memory.
    """

    PAIRS: ClassVar[tuple[str, ...]]
    CARD: ClassVar[str]
    pairs: tuple[Path, ...] = ()

    @classmethod
    def from_pretrained(
        cls, weights: str | os.PathLike[str], *, revision: str | None = None, **options: Any
    ) -> Self:
        """As `load`, with a branch, tag or commit of a Hub repository.

        Raises:
            WeightsError: it cannot be fetched, is incomplete or damaged.
        """
        pair = find_weights(weights, cls.PAIRS[0], revision)
        whole = pair.parent if pair.name == cls.PAIRS[0] else pair
        return cls.load(whole, **options)  # type: ignore[attr-defined]

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Writes a complete repository of the Hub into the folder, and returns it.

        A model of your own has no card; write README.md beside its weights, or into the folder.
        The folder that the model was read from gets what it lacks.

        Raises:
            WeightsError: the model was not read from files.
        """
        if not self.pairs:
            raise WeightsError("Expected a model that was loaded from files; this was made here.")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, pair in zip(self.PAIRS, self.pairs, strict=True):
            facts = json.loads(pair.with_name(f"{pair.name}.json").read_text(encoding="utf-8"))
            facts["weights"]["file"] = f"{name}.safetensors"
            if pair.name != name:  # graphs may read the weights, by the name that these had
                facts.pop("onnx", None)
            for graph in facts.get("onnx", {}).values():
                if (pair.parent / graph["file"]).is_file():
                    _copy(pair.parent / graph["file"], folder / graph["file"])
            _copy(pair.with_name(f"{pair.name}.safetensors"), folder / f"{name}.safetensors")
            text = json.dumps(facts, ensure_ascii=False, indent=1)
            with replacing(folder / f"{name}.json") as partial:
                partial.write_text(text + "\n", encoding="utf-8")
        config = {"library_name": LIBRARY, "model": type(self).__name__, "files": self.PAIRS}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        source = self.pairs[0].parent
        for target, candidates in {
            "README.md": (f"{self.CARD}.md", "README.md"),
            "LICENSE.md": ("LICENSE.md",),
        }.items():
            for candidate in candidates:
                if (source / candidate).is_file():
                    _copy(source / candidate, folder / target)
                    break
        return folder

    def push_to_hub(
        self, repository: str, folder: str | os.PathLike[str], *, private: bool = False
    ) -> str:
        """Saves the model to the folder and uploads that as OWNER/NAME; returns the address.

        Whoever is logged in (`hf auth login`, or HF_TOKEN) must own the repository; it is made
        where there is none.

        Raises:
            WeightsError: huggingface_hub is missing, or the model was not read from files.
        """
        api = _huggingface_hub("to upload a model").HfApi(library_name=LIBRARY)
        saved = self.save_pretrained(folder)
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository, folder_path=saved, commit_message="Upload the model"
        )
        return str(commit)


def _copy(source: Path, target: Path) -> None:
    if not (target.exists() and target.samefile(source)):
        shutil.copyfile(source, target)


def _huggingface_hub(purpose: str) -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise WeightsError(
            f'{purpose}, huggingface_hub is needed: pip install "{LIBRARY}[hub]".'
        ) from error
    return huggingface_hub


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
