"""The archive of the chassis, under the name by which this service knows it."""

from chassis.archive import Archive

__all__ = ["Archive"]
