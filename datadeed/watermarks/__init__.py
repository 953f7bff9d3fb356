"""Dataset watermarks, one class a method, all with the interface of :class:`Watermark`."""
