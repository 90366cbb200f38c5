"""The report of a backtest: one page a person reads, sends and keeps."""

from neuratrade.research.report.render import render_report, write_report

__all__ = ["render_report", "write_report"]
