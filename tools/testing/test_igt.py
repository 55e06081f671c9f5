# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""IGT's subtests, compared with what the in-tree driver gives and with the lists of igt/."""

import warnings

import pytest
from vgputest import BUILD, guests, igt
from vgputest.igt import Variant

VARIANTS = (
    Variant("7.3", "blob", 1, igt.CASES, igt.listed("quick.txt")),
    Variant("7.3-debug", "blob", 1, igt.listed("debug.txt")),
    # The results of 7.3 are expected there too.
    Variant("lts", "blob", 1, igt.listed("brief.txt")),
    *(Variant("7.3", device, outputs, igt.listed("variants.txt"))
      for device, outputs in (("blob", 2), ("virgl", 1), ("2d", 1))),
)
TRIES = 3


def pytest_generate_tests(metafunc):
    device, outputs = (metafunc.config.getoption(option) for option in ("device", "outputs"))
    variants = VARIANTS
    if device not in ("", *igt.DEVICES) or (device == "virgl" and outputs > 1):
        raise pytest.UsageError(f"--device: {', '.join(igt.DEVICES)}, which has one output")
    if device or outputs > 1:
        variants = [Variant("7.3", device or "blob", outputs, igt.CASES, igt.CASES)]
    params = []
    for variant in variants:
        marks = [pytest.mark.needs_3d, pytest.mark.needs("host-3d")] if variant.device == "virgl" else []
        for case in variant.cases:
            full = [] if case in variant.brief else [pytest.mark.full]
            params.append(pytest.param(variant, case, id=f"{variant}-{case}", marks=marks + full))
    metafunc.parametrize("run, case", params, indirect=["run"], scope="module")


@pytest.fixture(scope="module")
def run(request, vm):
    """The igt.Outcome of the chosen subtests of a variant."""
    variant, cases, options = request.param, guests.selected_cases(request), request.param.options()
    baseline = igt.read_baseline(f"baseline-{variant.device}-{variant.outputs}.csv")
    if request.config.getoption("baseline"):
        results, _ = igt.run_list(vm, f"{variant}-baseline", cases, module="baseline", **options)
        igt.save_csv(f"{variant}-baseline", results)
        baseline = {name: result.result for name, result in results.items()}
    outcome = igt.Outcome(variant, *igt.run_list(vm, f"{variant}", cases, **options), baseline)
    # What measures time, and fails on a busy host, is tried again: the lists of flakes have the reasons.
    for number in range(2, TRIES + 1):
        if flaky := outcome.flaky():
            clock = igt.COUNTED if number == 2 else {}
            outcome.add_try(number, igt.run_list(vm, f"{variant}-try-{number}", flaky, **options, **clock)[0])
    igt.save_csv(variant, outcome.results)
    (BUILD / f"igt/{variant}.md").write_text(outcome.report())
    for reason in outcome.stale():
        warnings.warn(f"{variant}: known failures pass: {reason}")
    return outcome


@pytest.mark.timeout(20000)
def test_subtest(run, case, record_property):
    """It passes, or fails or skips as the lists allow, and passes where the in-tree driver does."""
    members = run.members(case)
    record_property("figure", ", ".join(f"{name} {each} ({each.seconds:.1f} s)" for name, each in members.items()))
    for name, result in members.items():
        if result.tries:
            record_property("tries", f"{name}: {', '.join(result.tries)}")
            warnings.warn(f"{name}: {result.result}; {', '.join(result.tries)}")
    if wrong := run.wrong(case):
        pytest.fail("\n".join(wrong), pytrace=False)
    excused = [result for result in members.values() if result.excuse]
    failed = [result for result in excused if result.result != "skip"]
    if failed:
        pytest.xfail(f"{failed[0].excuse.reason} ({failed[0]})")
    if len(excused) == len(members):
        pytest.skip(f"{excused[0].excuse.reason} ({excused[0]})")
