"""What `make test ARGS=...` says when the arguments select no test of the service."""

import pytest
from support.commands import attempt, refuses, run

BINARY = "     Running unittests src/lib.rs\n\nrunning {} test{}\n"
DOCUMENTS = "   Doc-tests herolo\n\nrunning 0 tests\n"
# So that neither Docker nor MySQL is asked for.
DATABASE = {"HEROLO_TEST_DATABASE_URL": "mysql://root@127.0.0.1:1/mysql"}


def cargo_prints(stubs, output, status=0):
    """The variables of a machine whose cargo knows its version, and prints this for tests."""
    (stubs.folder / "output").write_text(output, encoding="utf-8")
    stubs.add("cargo", f'[ "$1" = test ] || exit 0; cat "{stubs.folder}/output"; exit {status}')
    return {**stubs.before_all_others(), **DATABASE}


def test_a_word_that_no_test_has_in_its_name_is_refused(stubs):
    machine = cargo_prints(stubs, BINARY.format(0, "s") + BINARY.format(0, "s") + DOCUMENTS)
    refuses(["make", "test", "ARGS=--test api -- nonsense::"], "'--test api -- nonsense::' selects none", env=machine)


@pytest.mark.parametrize(
    "output",
    [
        pytest.param(BINARY.format(0, "s") + BINARY.format(1, "") + DOCUMENTS, id="one of one program"),
        pytest.param(BINARY.format(10, "s") + DOCUMENTS, id="ten"),
        pytest.param("paging::a_page: test\n\n1 test, 0 benchmarks\n", id="that are listed"),
        pytest.param("", id="that are built"),
    ],
)
def test_arguments_that_select_tests_are_accepted_and_the_output_is_shown(stubs, output):
    assert run("scripts/test", "paging", env=cargo_prints(stubs, output)) == output


def test_a_test_that_fails_is_no_missing_test(stubs):
    done = attempt("scripts/test", "paging", env=cargo_prints(stubs, BINARY.format(1, ""), status=101))
    assert done.returncode == 101
    assert "error: " not in done.stderr
