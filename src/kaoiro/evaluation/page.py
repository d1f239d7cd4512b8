"""The report as one HTML page that needs nothing beside itself."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from kaoiro.evaluation.evaluate import Report
from kaoiro.evaluation.measured import Measured
from kaoiro.evaluation.plots import reliability_plot, risk_coverage_plot
from kaoiro.evaluation.report import prior_text
from kaoiro.evaluation.selection import usable_threshold


def report_page(report: Report) -> str:
    """Write the page: figures with intervals, classes, confusions, calibration, and risk against coverage."""
    import kaoiro

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "usable_threshold": usable_threshold,
        "thousands": "{:,}".format,
        "percent": _percent,
        "interval": _interval,
        "reliability": reliability_plot,
        "risk_coverage": risk_coverage_plot,
    }
    template = environment.from_string(files("kaoiro.evaluation").joinpath("page.html.jinja").read_text("utf-8"))
    return template.render(report=report, prior=prior_text(report), version=kaoiro.__version__) + "\n"


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f}"


def _interval(measured: Measured) -> str:
    return f"{_percent(measured.low)} to {_percent(measured.high)}"
