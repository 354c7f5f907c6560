"""Performs routing's decisions: the only loop over targets."""

from ccproxy_tray.dispatch.answer import Answer, AnswerStream, Dispatch

__all__ = ["Answer", "AnswerStream", "Dispatch"]
