"""Every public function against bad input: each argument in turn is made wrong in every way that its kind can be.

What comes of it is one sentence that names the argument, what was needed and what came; or the function works, for a
reason that stands in the WORKS of its table. Nothing comes out as nan in silence, and nothing is broadcast.
"""

import calls_around_it
import calls_of_the_mathematics
import pytest
from wrong import broken, number, silent

TABLES = calls_of_the_mathematics, calls_around_it


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_as_they_stand_all_calls_work(table):
    assert broken(table.CASES) == {}


@pytest.mark.parametrize("table, name", [(table, name) for table in TABLES for name in table.CASES])
def test_each_argument_made_wrong_is_refused_in_one_sentence_or_works_for_a_reason(table, name):
    assert silent({name: table.CASES[name]}, table.WORKS) == {}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_there_are_five_hundred_cases(table):
    assert number(table.CASES) >= 500
