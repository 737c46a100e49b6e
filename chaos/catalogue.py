"""The experiments that come with the project: their names and their files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.loader import load_experiment

from chaos.target import ChaosRefusedError

FOLDER: Final = Path(__file__).with_name("experiments")


def names() -> tuple[str, ...]:
    """The names of the experiments, in alphabetical order."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def path_of(name: str) -> Path:
    """The file of an experiment.

    Raises:
        ChaosRefusedError: there is none of that name.
    """
    if name not in names():
        raise ChaosRefusedError(f"no experiment {name!r}; there are {', '.join(names())}")
    return FOLDER / f"{name}.yaml"


def load(name: str) -> Mapping[str, Any]:
    """Read an experiment as Chaos Toolkit does, and validate it.

    Raises:
        ChaosRefusedError: there is none of that name.
        chaoslib.exceptions.ChaosException: its file is not an experiment, or names what does not exist.
    """
    experiment: dict[str, Any] = load_experiment(str(path_of(name)))
    ensure_experiment_is_valid(experiment)
    return experiment
