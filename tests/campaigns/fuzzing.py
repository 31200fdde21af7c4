"""Give every door odd things: no traceback, no hang, nothing silently wrong, nothing run.

    python tests/campaigns/fuzzing.py [--cases 20000] [--seed 0] [--kinds KIND,...]

    files      plans, records, checkpoints, manifests, the baseline, verified.json and report.json:
               bytes damaged, JSON edited with its old digest, and edited with a new one
    sources    folders, tars, zips, IDX, pickles and Parquet, damaged or odd
    options    odd values for every option of every command
    names      markup, formulas and control characters in every text that a page shows

A case is bad if it ends in an exception that is none of ours, takes 30 seconds, leaves a file where
none belongs, runs a command, or if a file says something else than was written and is believed.
"""

import sys
import warnings

from common import Kind, campaign
from fuzz_files import files
from fuzz_names import names
from fuzz_options import options
from fuzz_sources import sources

KINDS = {  # a page takes seconds to draw, and so has fewer turns
    "files": Kind(0.6, files),
    "sources": Kind(0.2, sources),
    "options": Kind(0.19, options),
    "names": Kind(0.01, names),
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(campaign(__doc__, "cases", 20_000, KINDS))
