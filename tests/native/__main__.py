"""The slow tests of the library in runtime/, on a small package.

    python -m tests.native races [--seconds 60]    eight threads on one handle, under TSan and under ASan
    python -m tests.native allocations             every allocation fails, under TSan and under ASan
    python -m tests.native fuzz [--seconds 600]    libFuzzer on models.xbin and config.yaml (needs clang++)
    python -m tests.native tiles --weights FILE    every magnetic tile by the model and by its package

Exits with 1 where a sanitizer or a check fails. `fuzz` replaces runtime/tests/corpus by its minimised corpus.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.native.harness import CORPUS, build_harness, find_clang, fuzz_input, small_package
from tests.native.tiles import TILES, compare


def sanitized(name: str, *arguments: str) -> int:
    """Runs a harness on a package under both sanitizers, one after the other."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="loupe-native-") as folder:
        package = small_package(Path(folder) / "package")
        for sanitizer in ("thread", "address,undefined"):
            program = build_harness(name, sanitizer)
            print(f"-fsanitize={sanitizer}", flush=True)
            failed |= subprocess.run([program, package, *arguments], check=False).returncode
    return int(failed != 0)


def fuzz(seconds: int, seed: int = 0, *, renews: bool = True) -> int:
    """Runs libFuzzer from the corpus, with a seed of its own if it is 0; `renews` the corpus by its finds."""
    clang = find_clang()
    if clang is None:
        print("there is no clang++: install it for libFuzzer", file=sys.stderr)
        return 2
    program = build_harness("fuzz", "address,undefined", clang)
    with tempfile.TemporaryDirectory(prefix="loupe-fuzz-") as folder:
        work, merged = Path(folder) / "corpus", Path(folder) / "merged"
        for path in (work, merged):
            path.mkdir()
        for path in CORPUS.iterdir():
            shutil.copy(path, work)
        (work / "seed").write_bytes(fuzz_input(small_package(Path(folder) / "package")))
        # The harness lets a package take 16 MiB, and its tables 8; AddressSanitizer keeps freed memory too.
        limits = ["-max_len=65536", "-timeout=20", "-malloc_limit_mb=24", "-rss_limit_mb=1024"]
        done = subprocess.run(
            [
                program,
                *limits,
                "-print_final_stats=1",
                f"-max_total_time={seconds}",
                f"-seed={seed}",
                f"-artifact_prefix={CORPUS}/crash-",
                work,
            ],
            check=False,
        )
        if not renews:
            return done.returncode
        subprocess.run([program, "-merge=1", "-max_len=8192", merged, work], check=True, capture_output=True)
        for path in CORPUS.iterdir():
            if not path.name.startswith("crash-"):
                path.unlink()
        for path in sorted(merged.iterdir()):
            shutil.copy(path, CORPUS)
        return done.returncode


def main() -> int:
    """Runs the test that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("proof", choices=["races", "allocations", "fuzz", "tiles"])
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--weights", type=Path, help="of a released version, a safetensors file")
    parser.add_argument("--images", type=Path, default=TILES)
    parser.add_argument("--every", type=int, default=1, help="only every n-th image")
    options = parser.parse_args()
    if options.proof == "tiles":
        if options.weights is None:
            parser.error("tiles needs --weights")
        return compare(options.weights, options.images, options.every)
    if options.proof == "allocations":
        return sanitized("allocations")
    if options.proof == "races":
        return sanitized("races", str(options.seconds or 60))
    return fuzz(options.seconds or 600)


if __name__ == "__main__":
    sys.exit(main())
