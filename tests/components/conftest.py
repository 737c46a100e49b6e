"""One run of the real program for each configuration, shared by all component tests; nobody changes a run."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.components.recorder import EVERY_OPTION, Run, run_program, stack_file, stand_ins
from topology.names import STACKS, TRIAL_STACK


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Gives the run of a stack by its file as it is, running the program the first time."""
    folder = tmp_path_factory.mktemp("packages")

    @cache
    def run(stack: str) -> Run:
        done = run_program(stack, stack_file(stack), stand_ins(folder))
        if done.error:
            raise done.error
        return done

    return run


@pytest.fixture(params=[stack for stack in STACKS if stack != TRIAL_STACK])
def run(request: pytest.FixtureRequest, run_of: Callable[[str], Run]) -> Run:
    """The run of each stack in turn that is to stay; a trial's keeps nothing for long, by design."""
    done: Run = run_of(request.param)
    return done


@pytest.fixture(scope="session")
def optioned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of prod with every option that its file leaves out, for what only one of them adds."""
    folder = tmp_path_factory.mktemp("packages")
    done = run_program("prod", stack_file("prod") | EVERY_OPTION, stand_ins(folder))
    if done.error:
        raise done.error
    return done
