"""The options of every shape: on Locust's command line, and as fields of its web page."""

import math
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clients.output_files import check_file, check_folder
from loadtests.target import RUN_DIR, LoadRefusedError, Target, open_target

REPORTS: Final = Path("reports")
SLO: Final = Path(__file__).with_name("slo.yaml")
PER_S_MAX: Final = 10_000.0
SECONDS_MAX: Final = 12 * 3_600.0
POSTS_MAX: Final = 5_000_000

_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "per_s": (0.01, PER_S_MAX),
    "seconds": (1.0, SECONDS_MAX),
    "critical_percent": (0.0, 100.0),
    "repeats_percent": (0.0, 100.0),
    "speed": (0.01, 1_000.0),
    "rest_within_s": (0.0, 3_600.0),
}


def add_options(parser: Any, shape: str, defaults: Mapping[str, float]) -> None:
    """Add them to Locust's parser, with the shape's own defaults."""

    def add(name: str, default: object, about: str, **settings: Any) -> None:
        kind = float if isinstance(default, float) else str
        parser.add_argument(f"--{name}", type=kind, default=default, help=about, **settings)

    add("per-s", defaults["per_s"], "Posts a second, where the shape is highest.")
    add("seconds", defaults["seconds"], "How long it sends; --run-time says nothing here.")
    add("critical-percent", defaults["critical_percent"], "Percent of the alerts that are CRITICAL.")
    add("repeats-percent", 0.0, "Percent of the posts that are sent as an earlier one was.")
    add("stream", "", "A recorded stream to replay in place of the shape.")
    add("speed", 1.0, "How many times as fast as it was recorded the stream is replayed.")
    add("rest-within-s", defaults["rest_within_s"], "The longest wait for all alerts to be at rest.")
    add("slo", str(SLO), "YAML file of thresholds.")
    add("report", str(REPORTS / f"load-{shape}.json"), "Where the JSON report goes.")
    hidden = {"include_in_web_ui": False}
    receipts = "Folder for the processes' receipts of 202s; reports/receipts/RUN if left out."
    add("receipts", "", receipts, **hidden)
    add("run-dir", str(RUN_DIR), "Run folder of the local stack that the load goes to.", **hidden)
    add("outputs", "", "A real stack's outputs, by `pulumi stack output --json > FILE`.", **hidden)
    add("stack-name", "", "Type a real stack's name to put a load on it.", **hidden)
    add("api-key", "", "The API key of a webhook that --host names.", env_var="LOAD_API_KEY", **hidden)


def checked(options: Namespace) -> Namespace:
    """The options, each within its limits and the report writable.

    Raises:
        LoadRefusedError: naming the first that is not.
        UnwritableError: the report's folder cannot be written.
    """
    for name, (least, most) in _LIMITS.items():
        value = getattr(options, name)
        if not (math.isfinite(value) and least <= value <= most):
            option = f"--{name.replace('_', '-')}"
            raise LoadRefusedError(f"{option} is {least:g} to {most:g}, not {value:g}")
    check_file(Path(options.report))
    if options.receipts:
        check_folder(Path(options.receipts))
    return options


def target_of(options: Namespace) -> Target:
    """The target of the options. Raises as `open_target` does."""
    return open_target(
        host=options.host or "",
        run_dir=options.run_dir,
        outputs=options.outputs,
        stack_name=options.stack_name,
        api_key=options.api_key,
    )
