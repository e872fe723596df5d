"""A pytest plugin the engine loads inside the sandbox: every session leaves a sealed report.

It sends pytest's JUnit file to the report folder under the session's own name and, after
everything else has ended, seals its bytes with a key the engine chose. A
process that ends early, and a report rewritten afterwards, carry no seal.
It runs in the checked repository's Python: standard library only.
"""

import hashlib
import hmac
import os

import pytest

_REPORTS = os.environ.pop("WAVECREW_REPORTS", "")
_KEY = os.environ.pop("WAVECREW_SEAL", "")
if _KEY:
    # Sessions that tests start themselves are the tests' own affair.
    os.environ.pop("PYTEST_ADDOPTS", None)


def _path(suffix: str) -> str:
    return os.path.join(_REPORTS, f"junit-{os.getpid()}.{suffix}")


def _mine(config: pytest.Config) -> bool:
    return bool(_KEY) and not hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not _mine(config):
        return
    with open(_path("started"), "wb"):
        pass
    config.option.xmlpath = _path("xml")
    # A root that is mounted read-only takes no cache, which is no fault of the tests.
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestCacheWarning")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if not _mine(config) or not os.path.exists(_path("xml")):
        return
    with open(_path("xml"), "rb") as report:
        seal = hmac.new(_KEY.encode(), report.read(), hashlib.sha256).hexdigest()
    with open(_path("seal"), "w") as out:
        out.write(seal)
