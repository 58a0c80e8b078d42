"""Bad input on every reader of files, settings and commands: at least 10^5 inputs each, and none may fall over.

``NAME_inputs``     inputs tried, at least 100 000 (of whole commands 1000); with ``--chunk i/n`` an n-th of them
``NAME_findings``   places in the code where something else than a documented refusal came out, at most 0
"""

import argparse

from _chunks import parse_chunk
from _ending import conclude
from _reliability_fuzz import NAMES, run


def main() -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="each for some seconds, in under 55 s")
    parser.add_argument("--chunk", type=parse_chunk, default=(1, 1), metavar="I/N", help="the I-th of N parts")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    args = parser.parse_args()
    figures = run(args.quick, args.chunk, args.only)
    return conclude((name, value, bar, not name.endswith("_findings")) for name, value, bar in figures)


if __name__ == "__main__":
    raise SystemExit(main())
