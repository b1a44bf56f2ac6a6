"""Let nbval run the chapters as Jupyter does, and compare the numbers they print as numbers."""

from collections import defaultdict

import printed
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, transform_streams_for_comparison


def execute_cell_input(self, cell_input, allow_stdin=None):
    """nbval's own method, but with history: without it IPython does not see a `;` that hides a cell's last value."""
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


def shown(cell, outputs):
    """What nbval compares of these outputs: for each stream and each kind of data its texts, in order, sanitized.

    Of no picture: nbval leaves out those of pixels, and drawings are left out here.
    """
    texts = defaultdict(list)
    for output in transform_streams_for_comparison(outputs):
        for kind, text in {**output, **output.get("data", {})}.items():
            if kind not in ("data", "image/svg+xml", *cell.parent.skip_compare):
                texts[kind].append(cell.sanitize(text))
    return texts


def compare_outputs(self, test, ref, skip_compare=None):
    """nbval's own method, but two texts are compared by tools/printed.py, within what the cell's `numbers` allows."""
    try:
        allowed = printed.tolerance(self.cell.metadata.get("numbers"))
    except ValueError as error:
        self.raise_cell_error(str(error))
    self.comparison_traceback = printed.complaints(shown(self, ref), shown(self, test), allowed)
    return not self.comparison_traceback


RunningKernel.execute_cell_input = execute_cell_input
IPyNbCell.compare_outputs = compare_outputs
