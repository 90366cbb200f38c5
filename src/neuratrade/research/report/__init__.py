"""The report of a backtest: one page a person reads, sends and keeps."""

from neuratrade.research.report.render import check_place, render_report, write_report

__all__ = ["check_place", "render_report", "write_report"]
