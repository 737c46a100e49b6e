"""`docs/proof.md` shows the verdicts that were checked in, and claims nothing more of AWS."""

import re

from deploy.trial.steps import STEPS
from deploy.trial.verdicts import Verdict, proof_table, read_results
from lambda_packages import ROOT

PAGE = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
PROOF = ROOT / "docs" / "proof-on-aws.json"
NEVER_ON_AWS = "It has not run on AWS."


def test_the_page_has_the_verdicts_of_the_file() -> None:
    """Row by row, for every step of the trial; where it ran is in the heading."""
    where, results = read_results(PROOF)
    table = "\n".join(proof_table(where, results))
    assert table in PAGE, f"the table of docs/proof.md should be:\n{table}"
    assert [(one.id, one.claim) for one in results] == [(step.id, step.claim) for step in STEPS]


def test_the_page_says_whether_a_trial_ever_ran_on_aws() -> None:
    """As long as the file is of the embedded AWS, it says that none did."""
    where, results = read_results(PROOF)
    assert (NEVER_ON_AWS in PAGE) is (where != "AWS")
    held = {one.id for one in results if one.verdict is Verdict.HELD}
    stood_in = {step.id for step in STEPS if step.stands_in}
    assert where == "AWS" or not held & stood_in


def test_no_account_is_in_the_file() -> None:
    """Nor anything else that is twelve digits."""
    assert not re.search(r"(?<!\d)\d{12}(?!\d)", PROOF.read_text(encoding="utf-8"))
