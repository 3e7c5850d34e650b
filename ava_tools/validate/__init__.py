"""What is wrong with a data set, before anything is trained on it."""

from ava_tools.validate.checks import validate
from ava_tools.validate.finding import Finding, Severity

__all__ = ["Finding", "Severity", "validate"]
